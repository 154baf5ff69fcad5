// The stream of events from the centre, and the mark that says whether it flows.
const QUIET = 40_000; // ms: the centre pings every 15 s, so that after this the stream is dead
const AGAIN = 5_000;

// Calls heard(event) for each event but pings, and once for every (re)connection, since something may have passed.
export function follow(heard) {
  let source;
  let last;
  function mark(lost) {
    document.getElementById('lost').hidden = !lost;
    document.getElementById('live').hidden = lost;
    document.documentElement.toggleAttribute('data-lost', lost);
  }
  function flows() {
    last = Date.now();
    mark(false);
  }
  function open() {
    last = Date.now();
    source = new EventSource('/api/v1/events');
    source.addEventListener('open', (event) => { flows(); heard(event); });
    source.addEventListener('ping', flows);
    for (const name of ['overview', 'nodes']) {
      source.addEventListener(name, (event) => { flows(); heard(event); });
    }
    source.addEventListener('error', () => {
      mark(true);
      // The browser tries again by itself, unless the answer was an error page.
      if (source.readyState === EventSource.CLOSED) setTimeout(open, AGAIN);
    });
  }
  setInterval(() => {
    if (Date.now() - last < QUIET || source.readyState === EventSource.CLOSED) return;
    mark(true);
    source.close();
    open();
  }, 1_000);
  open();
}
