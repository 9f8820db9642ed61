// Addresses: the screen that one means, and how to get there without loading the page again.

const listeners = new Set();
export const onMove = (listener) => (listeners.add(listener), () => listeners.delete(listener));
const tell = (isSame) => listeners.forEach((listener) => listener(here(), isSame));

export function here() {
  const [, screen = "", ...rest] = location.pathname.slice(1).split("/");
  let item = rest.join("/");
  try {
    item = decodeURIComponent(item);
  } catch {
    // It stays as it is; nothing will be found by it.
  }
  return { screen: screen || "road", item, params: new URLSearchParams(location.search) };
}

// `isSame`: the screen stays, as when a filter changes. Then the focus stays where it is, too.
export function go(path, { isSame = false } = {}) {
  if (path === location.pathname + location.search) return;
  window.history.pushState(null, "", path);
  if (!isSame) window.scrollTo(0, 0);
  tell(isSame);
}

export function start() {
  window.addEventListener("popstate", () => tell(false));
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !isPlain || event.defaultPrevented || link.target || link.origin !== location.origin) return;
    if (link.pathname !== "/ui" && !link.pathname.startsWith("/ui/")) return;
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    go(link.pathname + link.search, { isSame: link.dataset.same !== undefined });
  });
}
