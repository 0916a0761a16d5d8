/** What a page was told, for the suite to ask for. Runs in the page, before its scripts do. */
export function takeNotes() {
  const notes = [];
  const awaited = new Set();
  const fits = (found, wanted) => (wanted !== null && typeof wanted === 'object'
    ? Object.entries(wanted).every(([name, each]) => fits(found?.[name], each))
    : found === wanted);

  function take(wanted) {
    const at = notes.findIndex((note) => fits(note, wanted));
    return at < 0 ? undefined : notes.splice(at, 1)[0];
  }

  window.notes = {
    add(note) {
      notes.push(note);
      for (const look of awaited) look();
    },
    all: (wanted) => notes.filter((note) => fits(note, wanted)),
    /** Take the oldest that holds what is wanted, now or within `patience` milliseconds. */
    next: (wanted, patience) => new Promise((resolve, reject) => {
      const giveUp = setTimeout(() => {
        awaited.delete(look);
        reject(new Error(`not told ${JSON.stringify(wanted)}, but ${JSON.stringify(notes)}`));
      }, patience);
      function look() {
        const found = take(wanted);
        if (!found) return;
        awaited.delete(look);
        clearTimeout(giveUp);
        resolve(found);
      }
      awaited.add(look);
      look();
    }),
  };
}
