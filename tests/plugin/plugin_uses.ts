// How a page in TypeScript uses the plugin: the first half compiles, each line of the second half must not.
import type { Detail, MessengerAuth as Plugin } from '../../static/messenger-auth';

const plugin: Plugin = window.MessengerAuth;
const greet = ({ state, name, message }: Detail): string => message ?? `${state} ${name ?? ''}`;
const off: () => void = plugin.on('*', (detail) => console.log(greet(detail)));
addEventListener('messenger-auth', ({ detail }) => console.log(detail.state, detail.at.toFixed()));
if (MessengerAuth.status().renewal === 'halted') void plugin.signIn().then(off);

// @ts-expect-error no token is ever in a detail
plugin.on('*', (detail) => detail.jwt);
// @ts-expect-error the global is frozen
plugin.signIn = async () => undefined;
// @ts-expect-error who listens must say with what
plugin.on('authenticated');
