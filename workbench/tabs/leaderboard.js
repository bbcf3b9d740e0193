/* What the leaderboard shows, asked of the app itself: Gradio's queue takes several answers and drawings for one event. */
globalThis.board = (() => {
  const LONGEST_MS = 60000, ECHO_MS = 1000, FRAME_MS = 100, AGAIN = 'Press Refresh to ask again.';
  let newest = 0, asking = 0, under_way = Promise.resolve(), answer = null, is_anew = false;
  let echo = { of: null, until: 0 };
  const filled = {};

  async function fetched(query) {
    const response = await fetch(`board/rows?${query}`, { signal: AbortSignal.timeout(LONGEST_MS) })
      .catch(() => { throw new Error(`It does not answer. ${AGAIN}`); });
    const said = await response.json().catch(() => ({ detail: `It answered ${response.status}.` }));
    if (!said.rows) throw new Error(response.status === 400 ? said.detail : `${said.detail} ${AGAIN}`);
    return said;
  }

  function told(what, error) {
    const line = document.createElement('p');
    line.setAttribute('role', 'status');
    line.textContent = `${what}: ${error.message}`;
    return line.outerHTML;
  }

  const drawn_of = (found, parts) =>
    parts.map(name => name === 'table' ? found.rows.table + found.waits : found.rows[name]);

  const but_run = query => { const all = new URLSearchParams(query); all.delete('run'); return `${all}`; };

  /* Images that are chosen for the visitor are a change like any other: the rows on them are there. */
  function echoed(query, images) {
    const all = new URLSearchParams(but_run(query));
    all.set('images', images);
    echo = { of: `${all}`, until: performance.now() + ECHO_MS };
  }

  function query_of(names, values) {
    const said = names.map((name, at) => [name, values[at] ?? '']);
    return `${new URLSearchParams([...said, ['page', globalThis.__gradio_session_hash__ ?? '']])}`;
  }

  /* Status, table and picture. One question at a time: the newest is asked next, and those between are left out. */
  async function rows(names, parts, values) {
    const query = query_of(names, values);
    const is_echo = echo.of === but_run(query) && performance.now() < echo.until;
    echo = { of: null, until: 0 };
    if (is_echo) return [];
    const number = ++newest, before = under_way;
    let done;
    under_way = new Promise(end => { done = end; });
    asking += 1;
    await before;
    const anew = is_anew && number === newest;
    try {
      if (number !== newest) return [];
      is_anew = false;
      const found = await fetched(anew ? `${query}&anew=1` : query);
      if (number !== newest) return [];
      answer = { ...found, query, number };
      return drawn_of(answer, parts);
    } catch (error) {
      is_anew ||= anew;
      return number === newest ? [told('The app did not give these rows', error)] : [];
    } finally {
      asking -= 1;
      done();
    }
  }

  /* Once the browser has drawn what it has; one that draws nothing, because nobody looks, is not waited for. */
  const drawn = () => new Promise(end => {
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(end)));
    setTimeout(end, FRAME_MS);
  });

  /* The lists to choose from: each is filled where it is another, so that what is chosen stays otherwise. */
  async function fill(parts) {
    await drawn();
    if (!answer || asking) return [];  // a newer question fills them after its own rows
    const { lists, query } = answer;
    return parts.map(name => {
      const part = lists[name], key = JSON.stringify(part?.choices ?? part);
      if (filled[name] === key) return undefined;
      filled[name] = key;
      if (name === 'images' && part.value) echoed(query, part.value);
      if (typeof part === 'boolean') return { __type__: 'update', visible: part };
      return part?.choices ? { __type__: 'update', ...part } : part;
    });
  }

  /* The same rows with what the images can tell apart, where that had to be worked out. */
  async function ties(parts) {
    const of = answer, is_newest = () => of === answer && of.number === newest;
    if (!of?.waits || !is_newest()) return [];
    of.waits = '';
    try {
      const found = await fetched(`${of.query}&ties=1`);
      return is_newest() ? drawn_of(found, parts) : [];
    } catch (error) {
      const [status, ...rest] = drawn_of(of, parts);
      return is_newest() ? [status + told('What the images tell apart is not known', error), ...rest] : [];
    }
  }

  /* The next question is of the files as they are now. */
  function anew() {
    is_anew = true;
    echo = { of: null, until: 0 };
  }

  return { rows, fill, ties, anew };
})();
