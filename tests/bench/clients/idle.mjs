// Holds idle connections to a Unix-domain socket until it is killed:
//
//   idle.mjs PATH COUNT
//
// Says "holding" when all are open; ends with an error when one is closed.
import net from 'node:net';

const [path, count] = process.argv.slice(2);

for (let i = 0; i < Number(count); i++) {
    await new Promise((connected) => {
        net.connect(path, connected).on('close', () => {
            console.error(`idle: connection ${i} was closed`);
            process.exit(1);
        });
    });
}
console.log('holding');
