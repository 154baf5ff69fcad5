// Ages tick by the centre's clock, not by this machine's.
const SIZES = [86400, 3600, 60, 1];

export function tickAges() {
  const patterns = JSON.parse(document.documentElement.dataset.ages);
  const ahead = Date.now() - Number(document.body.dataset.now);
  setInterval(() => {
    for (const time of document.querySelectorAll('time[data-at]')) {
      const seconds = Math.max(0, Math.floor((Date.now() - ahead - Number(time.dataset.at)) / 1000));
      const i = SIZES.findIndex((size, at) => seconds >= size || at === SIZES.length - 1);
      const text = patterns[i].replace('{}', Math.floor(seconds / SIZES[i]));
      if (time.textContent !== text) time.textContent = text;
    }
  }, 1_000);
}
