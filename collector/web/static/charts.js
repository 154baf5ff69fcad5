// Charts: drawn on the server for the first sight, then here, from the same specification.
const EVERY = 15_000;

export function watchCharts() {
  const figures = [...document.querySelectorAll('figure[data-chart]')];
  if (!figures.length) return;
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const draw = () => { if (!document.hidden) for (const figure of figures) redraw(figure, dark.matches); };
  import(figures[0].dataset.bundle).then(() => {
    draw();
    setInterval(draw, EVERY);
    dark.addEventListener('change', draw);
    document.addEventListener('visibilitychange', draw);
    addEventListener('resize', debounced(draw));
  });
}

async function redraw(figure, dark) {
  const plot = figure.querySelector('.plot');
  const url = new URL(figure.dataset.chart, location.href);
  url.searchParams.set('width', plot.clientWidth);
  if (dark) url.searchParams.set('theme', 'dark');
  try {
    const answer = await fetch(url, { cache: 'no-store' });
    if (!answer.ok) return;
    const spec = await answer.json();
    const stage = document.createElement('div');
    const options = {
      ast: true, // expressions are interpreted, not compiled: the page forbids eval
      renderer: 'svg', actions: false, defaultStyle: false, tooltip: { disableDefaultStyle: true },
    };
    const drawn = await window.vegaEmbed(stage, spec, options);
    plot.replaceChildren(stage); // only now: the chart before stays until this one is whole
    plot.drawn?.finalize();
    plot.drawn = drawn;
  } catch {
    // The chart that is there stays; the next round tries again.
  }
}

function debounced(act) {
  let timer = 0;
  return () => { clearTimeout(timer); timer = setTimeout(act, 200); };
}
