/*
 * What the old clients have in common: on submit the form's action gets a
 * progress ID, the answer goes to a hidden iframe, and a timer asks for the
 * progress until it is done or has failed. The page's own script tells how to
 * ask, as window.probe(url, id, show).
 *
 * The page's query may name other URLs: ?upload=...&progress=...
 */
'use strict';

const INTERVAL_MS = 500;
const parameters = new URLSearchParams(location.search);
const form = document.getElementById('upload');
let timer;

function makeId() {
    return Array.from({ length: 32 }, () => Math.floor(Math.random() * 16).toString(16)).join('');
}

function show(answer) {
    const data = document.body.dataset;
    const bar = document.getElementById('bar');

    if (data.state === 'done' || data.state === 'error') {
        return; /* a late answer */
    }
    data.state = answer.state;
    data.status = answer.status ?? '';
    document.getElementById('state').textContent = `${data.state} ${data.status}`.trim();
    if (answer.state === 'uploading') {
        bar.style.width = `${answer.received / answer.size * 100}%`;
        document.getElementById('bytes').textContent = `${answer.received} of ${answer.size}`;
    } else if (answer.state === 'done') {
        bar.style.width = '100%';
    }
    if (answer.state === 'done' || answer.state === 'error') {
        clearInterval(timer);
    }
}

form.addEventListener('submit', () => {
    const id = makeId();
    const upload = parameters.get('upload') ?? '/upload';
    const progress = parameters.get('progress') ?? '/progress';

    form.action = `${upload}${upload.includes('?') ? '&' : '?'}X-Progress-ID=${id}`;
    timer = setInterval(() => window.probe(progress, id, show), INTERVAL_MS);
});
