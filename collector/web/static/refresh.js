// Brings the page up to date in place: the server renders it again, and what differs is changed here.
// One renderer, so that what is live and what is printed cannot differ.

// A function that refreshes at once, but not oftener than every `pace` ms; the last wish is never dropped.
export function refresher(pace) {
  let next = 0;
  let timer = 0;
  return function wish() {
    if (timer) return;
    timer = setTimeout(async () => {
      next = Date.now() + pace;
      await refresh();
      timer = 0;
    }, Math.max(0, next - Date.now()));
  };
}

async function refresh() {
  try {
    const answer = await fetch(location.href, { cache: 'no-store', headers: { Accept: 'text/html' } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
    document.title = fresh.title;
    for (const part of document.querySelectorAll('[data-live]')) morph(part, fresh.getElementById(part.id));
    document.dispatchEvent(new Event('refreshed'));
  } catch {
    // No answer: the mark of the stream says so, and the next event tries again.
  }
}

// Makes `old` like `fresh`, keeping every element that can stay: focus, hover and scroll survive.
function morph(old, fresh) {
  if (fresh === null || old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.hasAttribute('data-keep')) return;
  // What the reader unfolded stays so.
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== 'open') old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const [before, after] = [[...old.childNodes], [...fresh.childNodes]];
  after.forEach((child, i) => (i < before.length ? morph(before[i], child) : old.append(child)));
  for (const gone of before.slice(after.length)) gone.remove();
}
