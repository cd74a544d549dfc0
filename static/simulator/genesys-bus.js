/* The command bus: plugins, commands, events, replays and the shared data model. */

/** Payloads cross frames in the real thing: only what JSON can carry arrives. */
function copied(data) {
  return data === undefined || data === null ? {} : JSON.parse(JSON.stringify(data));
}

function createBus() {
  const plugins = new Set();
  const commands = new Map();
  const subscriptions = new Map();
  const replays = new Map();
  const model = new Map();
  let runningHandlers = 0;

  function deliver(callback, envelope) {
    setTimeout(() => callback({ ...envelope, data: copied(envelope.data) }), 0);
  }

  function publish(publisher, eventName, data) {
    const event = `${publisher}.${eventName}`;
    const envelope = { time: Date.now(), publisher, event, eventName, data: copied(data) };
    for (const { callback } of subscriptions.get(event) ?? []) deliver(callback, envelope);
    return envelope;
  }

  /** Like publish, and the last payload is replayed to every later subscriber, for ever. */
  function republish(publisher, eventName, data) {
    const { time, event, data: kept } = publish(publisher, eventName, data);
    replays.set(event, { time, publisher, event, data: kept });
  }

  function subscribe(owner, event, callback) {
    if (typeof event !== "string" || typeof callback !== "function") return false;
    if (!subscriptions.has(event)) subscriptions.set(event, []);
    subscriptions.get(event).push({ owner, callback });
    if (replays.has(event)) deliver(callback, replays.get(event));
    return event;
  }

  function unsubscribe(owner, event) {
    const all = subscriptions.get(event) ?? [];
    const others = all.filter((subscription) => subscription.owner !== owner);
    subscriptions.set(event, others);
    return others.length < all.length;
  }

  function registerCommand(plugin, name, handler) {
    if (String(name).includes(".")) throw new Error(`Can't register command ${name} -- foreign name`);
    if (runningHandlers > 0) {
      console.error(`[Genesys] ${plugin}.${name} is registered inside a command's handler`);
    }
    commands.set(`${plugin}.${name}`, handler);
  }

  function command(name, options) {
    const handler = commands.get(name);
    if (!handler) return Promise.reject({ message: `Command ${name} is not registered` });
    return new Promise((resolve, reject) => {
      let isSettled = false;
      const once = (settle) => (value) => {
        if (isSettled) {
          // Said as well as thrown: who catches everything should not hide it.
          console.error(`[Genesys] ${name} was settled twice`);
          throw new Error(`${name} was settled twice`);
        }
        isSettled = true;
        settle(value === undefined ? undefined : copied(value));
      };
      const request = { data: options, command: name, resolve: once(resolve), reject: once(reject) };
      runningHandlers += 1;
      try {
        handler(request);
      } catch (error) {
        if (isSettled) throw error;
        request.reject({ message: String(error?.message ?? error) });
      } finally {
        runningHandlers -= 1;
      }
    });
  }

  function plugin(name) {
    if (plugins.has(name)) {
      throw new Error(`Can't register plugin ${name} -- Name is already taken`);
    }
    plugins.add(name);
    return {
      registerCommand: (commandName, handler) => registerCommand(name, commandName, handler),
      command,
      publish: (eventName, data) => void publish(name, eventName, data),
      republish: (eventName, data) => republish(name, eventName, data),
      subscribe: (event, callback) => subscribe(name, event, callback),
      unsubscribe: (event) => unsubscribe(name, event),
      data: (key, ...value) => (value.length ? void model.set(key, value[0]) : model.get(key)),
      ready: () => republish(name, "ready"),
    };
  }

  return { plugin, command, subscribe, knows: (name) => commands.has(name) };
}

/** What the page calls as `Genesys(action, …)`. Every action returns undefined. */
function createDispatcher(bus, stub) {
  const queue = Array.from(stub?.q ?? []);

  function runCommand(name, ...rest) {
    const options = typeof rest[0] === "function" ? {} : rest.shift();
    const [ok, fail] = rest;
    bus.command(name, options ?? {}).then(
      (value) => typeof ok === "function" && ok(value),
      (error) => typeof fail === "function" && fail(error),
    );
  }

  const actions = {
    registerPlugin: (name, build) => build(bus.plugin(name)),
    command: runCommand,
    subscribe: (event, callback) => void bus.subscribe("", event, callback),
    executeQueue: () => {
      for (const entry of queue.splice(0)) {
        try {
          dispatch(...entry);
        } catch (error) {
          // One broken entry must not cost the others their turn.
          console.error("[Genesys]", error);
        }
      }
    },
  };
  const silent = ["monitor", "registerChild", "registerModule", "loadPlugin", "loadFile"];
  const alsoSilent = ["loadModule", "loadJSON", "configure"];

  function dispatch(action, ...rest) {
    if (Object.hasOwn(actions, action)) actions[action](...rest);
    else if (![...silent, ...alsoSilent].includes(action)) {
      console.error(`[Genesys] unknown action ${action}`);
    }
  }

  return Object.assign(dispatch, { c: stub?.c, t: stub?.t });
}
