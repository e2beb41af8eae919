// What the pages do beyond HTML: the live feed, relative times, one submission for each form, menus that close,
// copying, keyboard shortcuts.
// Everything works without this file.
'use strict';

// The only place where text becomes markup: fragments that our own server has rendered and escaped.
const policy = window.trustedTypes
  ? window.trustedTypes.createPolicy('pgtrack', { createHTML: (html) => html })
  : { createHTML: (html) => html };

function fragment(html) {
  const template = document.createElement('template');
  template.innerHTML = policy.createHTML(html);
  return template.content;
}

// ---- Texts: all of them are the server's, in attributes ----

const page = document.documentElement;
const plural = new Intl.PluralRules(page.lang);

// The form of a text for a number, from `one=# day ago|other=# days ago`.
function counted(forms, number) {
  const all = new Map(forms.split('|').map((form) => form.split(/=(.*)/s)));
  return (all.get(plural.select(number)) ?? all.get('other')).replace('#', number);
}

// ---- Relative times, in the words of the server ----

function ago(seconds) {
  if (seconds < 5) return page.dataset.justNow;
  if (seconds < 60) return counted(page.dataset.seconds, seconds);
  if (seconds < 3600) return counted(page.dataset.minutes, Math.floor(seconds / 60));
  if (seconds < 86400) return counted(page.dataset.hours, Math.floor(seconds / 3600));
  return counted(page.dataset.days, Math.floor(seconds / 86400));
}

// The server's clock counts: this machine's may be wrong.
const skew = Date.now() - Number(page.dataset.now);

function refreshTimes() {
  const now = Date.now() - skew;
  for (const element of document.querySelectorAll('.ago[data-at]')) {
    const text = ago(Math.floor((now - Number(element.dataset.at)) / 1000));
    if (element.textContent !== text) element.textContent = text;
  }
}

// ---- The live feed ----

// How many transactions the page keeps, and how many wait before it is better to load the page again.
const KEPT = 200;
const MOST_WAITING = 500;
const RETRY_MS = 5000;
const ANNOUNCE_MS = 10000;

class Feed {
  constructor(list) {
    this.list = list;
    this.url = list.dataset.live;
    this.lastId = list.dataset.cursor;
    this.words = document.getElementById('live').dataset;
    this.state = document.getElementById('live-state');
    this.news = document.getElementById('live-news');
    this.pauseButton = document.getElementById('live-pause');
    this.banner = document.getElementById('live-banner');
    this.showButton = document.getElementById('live-show');
    this.reloadLink = document.getElementById('live-reload');
    this.waiting = [];
    this.isPaused = false;
    this.isOver = false;
    this.announcedAt = 0;

    document.getElementById('live-refresh').hidden = true;
    this.pauseButton.hidden = false;
    this.pauseButton.addEventListener('click', () => this.togglePause());
    this.showButton.addEventListener('click', () => this.showWaiting());
    // Nothing moves under the pointer, under the keyboard's focus, or while somebody reads further down.
    for (const event of ['mouseleave', 'focusout']) {
      list.addEventListener(event, () => setTimeout(() => this.flush(), 0));
    }
    document.addEventListener('scroll', () => this.flush(), { passive: true });
    document.addEventListener('visibilitychange', () => (document.hidden ? this.close() : this.open()));
    window.addEventListener('pagehide', () => this.close());
    window.addEventListener('pageshow', () => this.open());
    this.open();
  }

  open() {
    if (this.source || this.isOver || document.hidden) return;
    const source = new EventSource(`${this.url}${this.url.includes('?') ? '&' : '?'}after=${encodeURIComponent(this.lastId)}`);
    this.source = source;
    source.addEventListener('open', () => this.tell());
    source.addEventListener('transaction', (event) => {
      this.lastId = event.lastEventId;
      this.receive(event.data);
    });
    source.addEventListener('resync', () => this.giveUp());
    source.addEventListener('error', () => {
      // A stream that was refused is not tried again by the browser.
      if (source.readyState === EventSource.CLOSED && this.source === source) {
        this.close();
        setTimeout(() => this.open(), RETRY_MS);
      }
      this.tell(this.words.interrupted);
    });
  }

  close() {
    if (this.source) this.source.close();
    this.source = null;
  }

  giveUp() {
    this.isOver = true;
    this.close();
    this.waiting = [];
    this.showButton.hidden = true;
    this.reloadLink.hidden = false;
    this.reloadLink.href = location.href;
    this.banner.hidden = false;
    this.pauseButton.hidden = true;
    this.tell(this.words.many);
  }

  togglePause() {
    this.isPaused = !this.isPaused;
    this.pauseButton.textContent = this.isPaused ? this.words.resume : this.words.pause;
    this.tell();
    this.flush();
  }

  isHeld() {
    return this.isPaused || window.scrollY > 120 || this.list.matches(':hover, :focus-within');
  }

  receive(html) {
    this.waiting.push(html);
    if (this.waiting.length > MOST_WAITING) this.giveUp();
    else this.flush();
  }

  flush() {
    if (this.isOver) return;
    if (this.isHeld()) this.offer();
    else this.insert();
  }

  // Lets what is waiting be shown, and says now and then to screen readers how much it is.
  offer() {
    const count = this.waiting.length;
    this.banner.hidden = count === 0;
    if (count === 0) return;
    this.showButton.textContent = counted(this.words.showNew, count);
    if (Date.now() - this.announcedAt > ANNOUNCE_MS) {
      this.announcedAt = Date.now();
      this.news.textContent = counted(this.words.new, count);
    }
  }

  showWaiting() {
    this.insert();
    window.scrollTo({ top: 0 });
    this.pauseButton.focus({ preventScroll: true });
  }

  insert() {
    this.banner.hidden = true;
    if (this.waiting.length === 0) return;
    const blank = document.getElementById('nothing-yet');
    if (blank) blank.remove();
    for (const html of this.waiting) {
      for (const item of [...fragment(html).children]) {
        item.classList.add('new');
        this.list.prepend(item);
      }
    }
    this.waiting = [];
    while (this.list.children.length > KEPT) this.list.lastElementChild.remove();
    refreshTimes();
    this.tell();
  }

  tell(text) {
    const isLive = !text && !this.isPaused && this.source !== null;
    this.state.dataset.state = isLive ? 'live' : '';
    const usual = this.isPaused ? this.words.paused : this.words.liveWord;
    if (this.state.textContent !== (text || usual)) this.state.textContent = text || usual;
  }
}

// ---- The progress of a plan, and of an undo in batches ----

// Only numbers change while it runs, so what has the focus keeps it. Screen readers hear of it now and then, and at the end.
async function follow(job) {
  const news = document.getElementById('job-news');
  let announcedAt = Date.now();
  while (job.querySelector('[data-state=running]')) {
    await new Promise((resolve) => { setTimeout(resolve, job.dataset.seconds * 1000); });
    if (document.hidden) continue;
    const response = await fetch(job.dataset.progress).catch(() => null);
    if (!response || !response.ok || response.redirected) continue;
    const fresh = fragment(await response.text());
    const isOver = !fresh.querySelector('[data-state=running]');
    const next = fresh.querySelector('[data-go]');
    if (next) { location.replace(next.href); return; }
    const stop = job.querySelector('form');
    const sameForm = stop && fresh.querySelector('form');
    if (isOver || !sameForm) job.replaceChildren(fresh);
    else {
      for (const part of ['progress', '.numbers', 'h2']) job.querySelector(part).replaceWith(fresh.querySelector(part));
    }
    if (isOver || Date.now() - announcedAt > ANNOUNCE_MS) {
      announcedAt = Date.now();
      const parts = ['h2', '.numbers'].map((part) => job.querySelector(part).textContent);
      news.textContent = parts.join(': ');
    }
    refreshTimes();
  }
}

const job = document.querySelector('[data-progress]');
if (job) follow(job);

// ---- Forms and menus ----

// A second click while the first is on its way does nothing. (The server applies a form once in any case.)
document.addEventListener('submit', (event) => {
  const form = event.target;
  if (!form.matches('[data-once]')) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = 'yes';
});
window.addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('[data-sent]')) delete form.dataset.sent;
});

// An open menu closes with Escape, or with a click elsewhere.
function closeMenus(except) {
  for (const menu of document.querySelectorAll('details.menu[open]')) {
    if (menu !== except) menu.open = false;
  }
}
document.addEventListener('click', (event) => closeMenus(event.target.closest('details.menu')));
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  const menu = document.querySelector('details.menu[open]');
  closeMenus(null);
  if (menu) menu.querySelector('summary').focus();
});

// ---- Copying ----

const { copy, copied } = document.body.dataset;
for (const block of document.querySelectorAll('pre[data-copyable]')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'quiet copy';
  button.textContent = copy;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(block.textContent);
    button.textContent = copied;
    setTimeout(() => { button.textContent = copy; }, 2000);
  });
  block.after(button);
}

// ---- The time zone of this browser ----

const zone = document.querySelector('[data-zone]');
if (zone) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'quiet';
  button.textContent = zone.dataset.zone.replace('#', own);
  button.addEventListener('click', () => { zone.value = own; });
  zone.after(button);
}

// ---- Keyboard shortcuts; they can be turned off in the settings ----

const overview = document.body.dataset.shortcuts;
const pages = { o: '', a: '/changes', t: '/tables', s: '/storage', h: '/health' };
let prefix = null;

const focused = () => document.activeElement.closest('.entry, .version');

function select(step) {
  const entries = [...document.querySelectorAll('.entry, .version')];
  if (entries.length === 0) return;
  const current = entries.indexOf(focused());
  const next = entries[Math.max(0, Math.min(entries.length - 1, current + step))];
  // What opens the entry itself; only where there is no such link, the first one in it.
  const links = ['.open a, a.open', 'a.key', 'a'].map((one) => next.querySelector(one));
  const link = links.find((one) => one);
  if (link) link.focus();
}

// The entry that has the focus; otherwise what the page is about.
function undo() {
  const entry = focused();
  if (entry && entry.dataset.undoPlan) { location.href = entry.dataset.undoPlan; return; }
  const link = document.querySelector('[data-undo]');
  if (link) link.click();
}

function shortcut(key) {
  if (prefix === 'g' && key in pages) location.href = overview + pages[key];
  else if (prefix === 't' && key === 'a') { const frozen = document.querySelector('[data-freeze]'); if (frozen) location.href = frozen.href; }
  else if (key === '/') (document.getElementById('search') || { focus() { location.href = `${overview}/changes`; } }).focus();
  else if (key === 'j') select(1);
  else if (key === 'k') select(-1);
  else if (key === '?') location.href = '/settings#shortcuts';
  else if (key === 'u') undo();
  else if (key === 'p') { const pause = document.getElementById('live-pause'); if (pause) pause.click(); }
  else if (key === 'e') {
    const folded = [...document.querySelectorAll('main details')];
    const open = folded.some((one) => !one.open);
    for (const one of folded) one.open = open;
  } else return key === 'g' || key === 't';
  return true;
}

document.addEventListener('keydown', (event) => {
  if (!overview || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest('input, select, textarea, [contenteditable]')) return;
  if (shortcut(event.key)) event.preventDefault();
  prefix = event.key === 'g' || event.key === 't' ? event.key : null;
});

const list = document.querySelector('[data-live]');
if (list) new Feed(list);
refreshTimes();
setInterval(refreshTimes, 15000);
