// The bytes that a TCP connection holds between client and server, from
// /proc/net/tcp{,6}: what was sent and nginx has not read yet.
import fs from 'node:fs';

// Address and port as the kernel prints them: 32-bit words in host order.
function kernelName(address, port) {
    const bytes = address.includes(':') ? ipv6Bytes(address) : address.split('.').map(Number);
    const words = [];

    for (let i = 0; i < bytes.length; i += 4) {
        words.push(bytes.slice(i, i + 4).reverse()
            .map((b) => b.toString(16).padStart(2, '0')).join(''));
    }
    return `${words.join('')}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
}

function ipv6Bytes(address) {
    const [head, tail] = address.split('::').map((part) => part.split(':').filter(Boolean));
    const middle = Array(8 - head.length - (tail?.length ?? 0)).fill('0');

    return [...head, ...middle, ...(tail ?? [])].flatMap((group) => {
        const value = parseInt(group, 16);
        return [value >> 8, value & 255];
    });
}

// Unsent bytes of the client's end plus unread bytes of the server's end.
export function unreadBytes({ localAddress, localPort, remoteAddress, remotePort }) {
    const file = remoteAddress.includes(':') ? '/proc/net/tcp6' : '/proc/net/tcp';
    const client = kernelName(localAddress, localPort);
    const server = kernelName(remoteAddress, remotePort);
    let bytes = 0;

    for (const line of fs.readFileSync(file, 'utf8').split('\n').slice(1)) {
        const [, local, remote, , queues] = line.trim().split(/\s+/);

        if (local === client && remote === server) {
            bytes += parseInt(queues.split(':')[0], 16);
        } else if (local === server && remote === client) {
            bytes += parseInt(queues.split(':')[1], 16);
        }
    }
    return bytes;
}
