// The search box dims on the page what does not match; Enter opens the one that does, or lists them.
export function findNodes(box) {
  const found = document.getElementById('found');
  function dim() {
    const wanted = folded(box.value.trim());
    const links = new Set();
    for (const place of document.querySelectorAll('[data-find]')) {
      const hit = place.dataset.find.includes(wanted);
      place.toggleAttribute('data-dim', !hit);
      if (hit) links.add(place.getAttribute('href'));
    }
    found.textContent = wanted ? found.dataset.pattern.replace('{}', links.size) : '';
    return wanted ? links : new Set();
  }
  box.addEventListener('input', dim);
  document.addEventListener('refreshed', dim);
  box.form.addEventListener('submit', (event) => {
    const links = dim();
    if (links.size !== 1) return;
    event.preventDefault();
    location.assign([...links][0]);
  });
}

// As geography.folded does.
function folded(text) {
  return text.toLowerCase().replaceAll('đ', 'd').normalize('NFD').replace(/\p{M}/gu, '');
}
