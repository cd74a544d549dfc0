"""A page of the brand without our script: it fetches codes by hand, and Genesys redeems them."""

from typing import Any, Final

from playwright.sync_api import FrameLocator, Page
from world import World

LIMIT_MS: Final = 15_000

_BY_HAND: Final = """
window.byHand = (base, genesys, deployment) => {
  const post = async (url, body, headers, credentials = 'include') => {
    const answer = await fetch(url, {
      method: 'POST', credentials, body: JSON.stringify(body),
      headers: {'Content-Type': 'application/json', ...headers},
    });
    return {status: answer.status, ...(await answer.json().catch(() => ({})))};
  };
  const code = (body = {}) => post(base + '/messenger/code', body, {'X-CSRF': '1'});
  const look = async (id) => {
    const answer = await fetch(`${base}/auth/transactions/${id}`, {credentials: 'include'});
    return answer.json();
  };
  const turn = () => new Promise((done) => setTimeout(done, 50));
  return {
    code,
    open: (body) => post(base + '/auth/transactions', body, {'X-CSRF': '1'}),
    look,
    async silent() {
      const first = await code();
      if (first.status !== 202) return first;
      const {id, url} = first.front_channel;
      const frame = document.createElement('iframe');
      frame.hidden = true;
      frame.src = url;
      document.body.append(frame);
      const until = Date.now() + 8000;
      let state = await look(id);
      while (state.status === 'pending' && Date.now() < until) {
        await turn();
        state = await look(id);
      }
      frame.remove();
      return {...(await code({transaction: id})), state};
    },
    redeem: ({authCode, redirectUri, codeVerifier, nonce, iss}) =>
      post(genesys + '/api/v2/webdeployments/token/oauthcodegrantjwtexchange', {
        deploymentId: deployment, oauth: {code: authCode, redirectUri, codeVerifier, nonce, iss},
      }, {}, 'omit'),
  };
};
"""


class FrontChannelPage:
    """One tab on the brand's origin, in which a journey does what the plugin would do."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.page: Page = world.context.new_page()
        self.page.set_default_timeout(LIMIT_MS)
        # There is no such page: what the shop answers has no script of anybody in it.
        self.address = world.stage.brand_url + "/by-hand"
        self.page.add_init_script(_BY_HAND)
        self.page.goto(self.address)

    def sign_in(self) -> None:
        """Sign in as the first customer, by redirects."""
        self.page.goto(f"{self.world.stage.bff_url}/auth/login?return_to=/by-hand")
        self.world.provider.sign_in(self.page, self.world.provider.first)
        self.page.wait_for_url(self.address)

    def frame(self, url: str) -> FrameLocator:
        """Show a page in a frame, as a brand's own dialog does."""
        self.page.evaluate(
            "(url) => document.body.append(Object.assign("
            "document.createElement('iframe'), {src: url, width: 480, height: 560}))",
            url,
        )
        return self.page.frame_locator("iframe")

    def do(self, act: str, argument: Any = None) -> dict[str, Any]:
        """Do one thing by hand: `code`, `silent`, `redeem`, `open`, `look`."""
        stage = self.world.stage
        here = [stage.bff_url, stage.genesys_url, stage.genesys.settings.deployment_id]
        done: dict[str, Any] = self.page.evaluate(
            "([here, act, argument]) => byHand(...here)[act](argument ?? undefined)",
            [here, act, argument],
        )
        return done
