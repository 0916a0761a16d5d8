// Before the page is painted: light, dark, or as the system says. A plain script, since modules wait.
(() => {
  const KEY = 'tertulia.theme';
  const root = document.documentElement;
  const system = matchMedia('(prefers-color-scheme: dark)');
  const stored = () => {
    try { return localStorage.getItem(KEY); } catch { return null; }
  };
  const show = () => {
    const chosen = stored();
    root.dataset.theme = chosen ?? (system.matches ? 'dark' : 'light');
  };
  /** Turn to the other; what is also the system's choice needs no memory. */
  window.toggleTheme = () => {
    const wanted = root.dataset.theme === 'dark' ? 'light' : 'dark';
    const isSystems = (wanted === 'dark') === system.matches;
    try {
      if (isSystems) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, wanted);
    } catch { /* a browser that keeps nothing: for this page only */ }
    root.dataset.theme = wanted;
    return wanted;
  };
  system.addEventListener('change', show);
  show();
})();
