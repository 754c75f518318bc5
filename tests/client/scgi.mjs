// SCGI by hand, see fastcgi.mjs: one request to a connection.
import { Peer } from './peer.mjs';

export function netstring(text) {
    return Buffer.from(`${Buffer.byteLength(text)}:${text},`);
}

// A request as nginx sends it: CONTENT_LENGTH first, SCGI next.
export function request(params, { contentLength = 0, version = 1 } = {}) {
    const all = { CONTENT_LENGTH: contentLength, SCGI: version, ...params };

    return netstring(Object.entries(all).map(([name, value]) => `${name}\0${value}\0`).join(''));
}

export function parse(received) {
    const [head, ...body] = received.toString().split('\r\n\r\n');

    return { status: Number(/^Status: (\d+)/.exec(head)?.[1]), body: body.join('\r\n\r\n') };
}

// Asks and waits for the end; gives status and body.
export async function ask(address, bytes, limitMs) {
    const peer = await Peer.open(address);

    peer.write(bytes);
    await peer.untilClosed(limitMs);
    peer.close();
    return parse(peer.received);
}
