// A page's own WebSocket in headless Chromium. Arguments: chromedriver's URL, the
// page's URL, the socket's URL, a folder for the profile. Prints, as JSON, the
// protocol that the page came by and the headers of the socket's handshake.
import { Browser } from './webdriver.mjs';

const [driverUrl, pageUrl, socketUrl, folder] = process.argv.slice(2);

// Runs in the page.
async function converse(url) {
    const socket = new WebSocket(url);
    const waiting = [];
    const come = [];
    const next = () => new Promise((resolve) => {
        if (come.length) {
            resolve(come.shift());
        } else {
            waiting.push(resolve);
        }
    });
    const deliver = (message) => {
        const resolve = waiting.shift();
        if (resolve) {
            resolve(message);
        } else {
            come.push(message);
        }
    };

    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => deliver(data);
    socket.onerror = () => deliver('FAULT: error event');
    const hello = await next();
    const faults = hello.startsWith('FAULT') ? [hello] : [];

    socket.send('Grüße, 世界, 🙂');
    if (await next() !== 'Grüße, 世界, 🙂') {
        faults.push('another text came back');
    }
    const bytes = new Uint8Array(1 << 20).map((_, i) => (i * 31) % 251);
    socket.send(bytes);
    const back = new Uint8Array(await next());
    if (back.length !== bytes.length || back.some((byte, i) => byte !== bytes[i])) {
        faults.push(`other bytes, ${back.length} of them, came back`);
    }
    const [navigation] = performance.getEntriesByType('navigation');
    const closed = new Promise((resolve) => { socket.onclose = resolve; });
    socket.close(1000);
    const { code, wasClean } = await closed;
    if (code !== 1000 || !wasClean) {
        faults.push(`closed with ${code}`);
    }
    return { faults, page: navigation.nextHopProtocol, hello };
}

const browser = await Browser.open(driverUrl, `${folder}/profile`, { acceptInsecureCerts: true });
try {
    await browser.go(pageUrl);
    const { faults, page, hello } = await browser.run(
        `return (${converse})(arguments[0])`, socketUrl);

    faults.forEach((fault) => console.log(`FAULT: ${fault}`));
    process.exitCode = faults.length ? 1 : 0;
    console.log(JSON.stringify({ page, ...JSON.parse(hello) }));
} finally {
    await browser.close();
}
