/*
 * The demo page of upload-progressd. The browser only sends; what a row shows
 * of the progress is what the server has answered to a probe, nothing else.
 */
'use strict';

/* Browsers open 6 connections to an HTTP/1.1 host: leave some to the probes. */
const RUNNING_MAX = 3;
const PROBE_INTERVAL_MS = 250;
const PROBE_TIMEOUT_MS = 10000;
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/* How sending ends in the browser, and how long to wait for the server's word. */
const SENDING_ENDS = {
    /* nginx may read on for 30 s after its response before it logs the end. */
    load: { patienceMs: 60000, text: 'the response has come' },
    error: { patienceMs: 15000, text: 'sending failed (network error)' },
    abort: { patienceMs: 15000, text: 'sending was cancelled here' },
};

const queue = [];
let running = 0;

function makeId() {
    if (crypto.randomUUID) {
        return crypto.randomUUID();
    }
    /* Not a secure context: plain HTTP, and not from this machine. */
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

/* Cut, not rounded: nothing may look complete before it is. */
function oneDecimal(value) {
    return (Math.floor(value * 10) / 10).toFixed(1);
}

function formatBytes(bytes) {
    let value = bytes;
    let unit = 0;
    for (; value >= 1024 && unit < UNITS.length - 1; unit++) {
        value /= 1024;
    }
    return `${unit === 0 ? Math.floor(value) : oneDecimal(value)} ${UNITS[unit]}`;
}

function formatRate(rate, suffix) {
    return Number.isFinite(rate) ? `${formatBytes(rate)}/s${suffix}` : '';
}

function formatTimeLeft(seconds) {
    if (!Number.isFinite(seconds)) {
        return '';
    }
    const whole = Math.ceil(seconds);
    return whole < 60 ? `${whole} s left` : `${Math.floor(whole / 60)} min ${whole % 60} s left`;
}

function isOver(seen) {
    return seen.state === 'done' || seen.state === 'error';
}

/* null where the server has not told it; a done upload is complete. */
function percentOf(seen) {
    return seen.state === 'done' ? 100 : seen.percent ?? null;
}

function stateText(seen) {
    if (seen.state === 'error') {
        return `error ${seen.status ?? ''}`.trim();
    }
    return seen.phase === 'processing' ? 'processing' : seen.state;
}

function bytesText({ seen, file }) {
    if (seen.state !== 'uploading' && !isOver(seen)) {
        /* The server has counted nothing yet: say only how big the file is. */
        return `file of ${formatBytes(file.size)}`;
    }
    const received = formatBytes(seen.received);
    return received + (Number.isFinite(seen.size) ? ` of ${formatBytes(seen.size)}` : ' received');
}

function speedAndTime({ seen, silent, gaveUp }) {
    if (isOver(seen)) {
        const took = Number.isFinite(seen.elapsed) ? `took ${seen.elapsed.toFixed(1)} s` : '';
        return [formatRate(seen.received / seen.elapsed, ' on average'), took];
    }
    if (seen.phase !== 'receiving' || silent || gaveUp) {
        return ['', '']; /* of an old answer the count still holds, not the speed */
    }
    return [formatRate(seen.rate, ''), formatTimeLeft(seen.eta)];
}

function detailsText({ seen }) {
    return [
        seen.gauge && `gauge: ${seen.gauge}`,
        seen.protocol,
        seen.approximate && 'approximate',
        seen.inferred && 'end inferred',
    ].filter(Boolean).join(' · ');
}

function noteText({ seen, end, silent, gaveUp }) {
    const still = silent ? '' : `, the server still says "${seen.state}"`;
    return [
        end && (end !== SENDING_ENDS.load || gaveUp) && end.text,
        silent && 'no answer from upload-progressd',
        gaveUp && `${end.patienceMs / 1000} s later${still}: no longer asking`,
    ].filter(Boolean).join('; ');
}

function showBar(bar, upload) {
    const percent = percentOf(upload.seen);
    if (percent === null && upload.started && !upload.final) {
        bar.removeAttribute('value'); /* indeterminate */
    } else {
        bar.value = percent ?? 0;
    }
    bar.setAttribute('aria-valuetext', `${stateText(upload.seen)}, ${bytesText(upload)}`);
}

function showCancel(button, { row, final, end }) {
    if ((final || end) && document.activeElement === button) {
        row.focus(); /* or the keyboard would lose its place */
    }
    button.hidden = final || end !== null;
}

function show(upload) {
    const { row, seen } = upload;
    const percent = percentOf(seen);
    const [speed, time] = speedAndTime(upload);
    const texts = {
        state: stateText(seen),
        bytes: bytesText(upload),
        percent: percent === null ? '' : `${oneDecimal(percent)} %`,
        speed,
        time,
        details: detailsText(upload),
        note: noteText(upload),
    };
    Object.assign(row.dataset, {
        state: seen.state, phase: seen.phase, percent: percent ?? '', final: upload.final,
    });
    for (const [name, text] of Object.entries(texts)) {
        const part = row.querySelector(`.${name}`);
        if (part.textContent !== text) { /* else it would be read aloud again */
            part.textContent = text;
        }
    }
    showBar(row.querySelector('.bar'), upload);
    showCancel(row.querySelector('.cancel'), upload);
}

/* What the server says of an ID, null if it does not answer as it should. */
async function probe(id) {
    try {
        const response = await fetch(`/progress/detail?X-Progress-ID=${id}`, {
            cache: 'no-store',
            signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
        });
        const answer = response.ok ? await response.json() : null;
        return typeof answer?.state === 'string' ? answer : null;
    } catch {
        return null;
    }
}

async function follow(upload) {
    while (!upload.final) {
        const answer = await probe(upload.id);
        upload.silent = answer === null;
        upload.seen = answer ?? upload.seen;
        upload.gaveUp = !isOver(upload.seen) && performance.now() > upload.patientUntil;
        upload.final = isOver(upload.seen) || upload.gaveUp;
        show(upload);
        await new Promise((resolve) => { setTimeout(resolve, PROBE_INTERVAL_MS); });
    }
}

function send(upload) {
    for (const [event, end] of Object.entries(SENDING_ENDS)) {
        upload.xhr.addEventListener(event, () => {
            upload.end = end;
            upload.patientUntil = performance.now() + end.patienceMs;
            running--;
            show(upload);
            startWaiting();
        });
    }
    upload.xhr.open('POST', `/upload?X-Progress-ID=${upload.id}`);
    upload.xhr.responseType = 'text'; /* Firefox would parse it as XML */
    upload.xhr.send(upload.file);
}

function startWaiting() {
    while (running < RUNNING_MAX && queue.length > 0) {
        const upload = queue.shift();
        running++;
        Object.assign(upload, { started: true, seen: { state: 'starting', phase: 'starting' } });
        show(upload);
        send(upload);
        follow(upload);
    }
}

function cancel(upload) {
    if (upload.started) {
        upload.xhr.abort(); /* what became of it is for the server to say */
        return;
    }
    queue.splice(queue.indexOf(upload), 1);
    Object.assign(upload, { final: true, seen: { state: 'cancelled', phase: 'cancelled' } });
    show(upload);
}

function add(file) {
    const row = document.getElementById('row').content.firstElementChild.cloneNode(true);
    const upload = {
        id: makeId(), file, row, xhr: new XMLHttpRequest(),
        seen: { state: 'waiting', phase: 'waiting' }, /* later: the last answer */
        started: false,
        end: null, patientUntil: Infinity, /* once sent: one of SENDING_ENDS */
        silent: false, /* the last probe was not answered */
        gaveUp: false, final: false, /* final: not asked any more */
    };
    const button = row.querySelector('.cancel');
    row.dataset.id = upload.id;
    row.querySelector('.name').textContent = file.name;
    row.querySelector('.bar').setAttribute('aria-label', `Received of ${file.name}`);
    button.setAttribute('aria-label', `Cancel ${file.name}`);
    button.addEventListener('click', () => cancel(upload));
    document.getElementById('uploads').append(row);
    queue.push(upload);
    show(upload);
}

function addAll(files) {
    Array.from(files).forEach(add);
    startWaiting();
}

/* The whole page takes drops: beside the zone the browser would open the file. */
function watchDrops(zone) {
    document.addEventListener('dragover', (event) => {
        event.preventDefault();
        zone.classList.toggle('over', event.dataTransfer.types.includes('Files'));
    });
    document.addEventListener('dragleave', () => zone.classList.remove('over'));
    document.addEventListener('drop', (event) => {
        event.preventDefault();
        zone.classList.remove('over');
        addAll(event.dataTransfer.files);
    });
}

document.getElementById('files').addEventListener('change', (event) => {
    addAll(event.target.files);
    event.target.value = ''; /* so that the same file can be chosen again */
});
watchDrops(document.getElementById('drop'));
