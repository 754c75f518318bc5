// How many of the uploads PREFIX-0 to PREFIX-(COUNT-1) are told as done, once
// that number does not grow any more; prints it.
//
//   known.mjs known url=URL prefix=PREFIX count=COUNT [length=BYTES of an ID]
//       [from=0] [step=1]
import { Asker } from './fault-uploads.mjs';
import { main, pause } from './peer.mjs';

async function known({ url, prefix, count, length = 0, from = 0, step = 1 }) {
    const asker = new Asker(url);
    const ids = [];
    let last = -1;
    let now = 0;

    for (let i = Number(from); i < Number(count); i += Number(step)) {
        ids.push(`${prefix}-${i}`.padEnd(Number(length), 'x'));
    }
    while (now !== last) {
        last = now;
        await pause(300);
        now = [...(await asker.ask(ids)).values()].filter(({ state }) => state === 'done').length;
    }
    asker.close();
    console.log(now);
}

await main({ known });
