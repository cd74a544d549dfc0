"""Script of somebody else in the brand's page: it looks at all that a page can reach."""

import json
from typing import Any, Final

from playwright.sync_api import Page

_LOOT: Final = """async (bff) => {
  const found = {};
  found.cookie = document.cookie;
  found.storage = JSON.stringify([{ ...localStorage }, { ...sessionStorage }]);
  found.html = document.documentElement.outerHTML;
  found.addresses = performance.getEntries().map((entry) => entry.name).concat(location.href);
  // Every value that hangs on a global of ours or of the page, functions' sources included.
  const seen = new Set();
  const values = [];
  const walk = (value, depth) => {
    if (value === null || (typeof value !== "object" && typeof value !== "function")) {
      values.push(String(value));
      return;
    }
    if (seen.has(value) || depth > 6 || seen.size > 20000) return;
    seen.add(value);
    if (value instanceof Node || value === window) return;
    for (const name of Reflect.ownKeys(value)) {
      try {
        walk(value[name], depth + 1);
      } catch {
        // A getter that refuses gives nothing away.
      }
    }
  };
  for (const name of Object.getOwnPropertyNames(window)) {
    if (/messenger|genesys|shop|brand|bff/i.test(name)) walk(window[name], 0);
  }
  found.globals = values.join("\\n");
  const databases = indexedDB.databases ? await indexedDB.databases() : [];
  found.databases = JSON.stringify(databases.map((one) => one.name));
  const ask = async (path, options = {}) => {
    const answer = await fetch(bff + path, {
      credentials: "include",
      headers: { "X-CSRF": "1", "Content-Type": "application/json" },
      ...options,
    });
    return [answer.status, await answer.text(), [...answer.headers].join("\\n")];
  };
  found.session = await ask("/auth/session");
  found.refresh = await ask("/auth/refresh", { method: "POST", body: "{}" });
  found.code = await ask("/messenger/code", { method: "POST", body: "{}" });
  return found;
}"""


class HostileScript:
    """What was injected into one tab, after everything else in it had loaded."""

    def __init__(self, page: Page, bff_url: str) -> None:
        self.found: dict[str, Any] = page.evaluate(_LOOT, bff_url)

    @property
    def all_text(self) -> str:
        """Return everything that it could read, as one text."""
        return json.dumps(self.found)

    def answer(self, name: str) -> dict[str, Any]:
        """Return the JSON of one of its requests, which must have been answered with 200."""
        status, text, _ = self.found[name]
        assert status == 200, (name, status, text)
        answer: dict[str, Any] = json.loads(text)
        return answer
