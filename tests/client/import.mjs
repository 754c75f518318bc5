// Puts in place what --import printed, on standard input: upload-progressd.conf
// into the file that is named, and each block into the lines that it names.
import fs from 'node:fs';

const parts = fs.readFileSync(0, 'utf8').split(/^#### /m).slice(1);
const changes = new Map(); // by file, in the order of lines

for (const part of parts) {
    const [head, ...body] = part.replace(/\n$/, '').split('\n');
    const place = head.match(/^(.*), lines (\d+) to (\d+)$/);

    if (place === null) {
        fs.appendFileSync(process.argv[2], `${body.join('\n')}\n`);
        continue;
    }
    const file = place[1];

    changes.set(file, [...changes.get(file) ?? [], { from: +place[2], to: +place[3], body }]);
}
for (const [file, blocks] of changes) {
    const lines = fs.readFileSync(file, 'utf8').split('\n');

    for (const { from, to, body } of blocks.reverse()) {
        const stays = /^\s*# \.\.\. lines (\d+) to (\d+) as they are$/;

        lines.splice(from - 1, to - from + 1, ...body.flatMap((line) => {
            const range = line.match(stays);

            return range ? lines.slice(range[1] - 1, +range[2]) : [line];
        }));
    }
    fs.writeFileSync(file, lines.join('\n'));
}
