// What every page does: follow the centre, keep the ages ticking, find nodes, draw charts.
import { tickAges } from './ages.js';
import { watchCharts } from './charts.js';
import { findNodes } from './find.js';
import { follow } from './live.js';
import { refresher } from './refresh.js';

const node = document.body.dataset.node;
const refresh = refresher(Number(document.body.dataset.pace));
tickAges();
findNodes(document.getElementById('q'));
watchCharts();
follow((event) => {
  // The measurements of other nodes are no business of this page; the front page hears of it in `overview`.
  if (event.type !== 'nodes' || JSON.parse(event.data).ids.includes(node)) refresh();
});
