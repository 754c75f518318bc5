// Uses the page as a person would, in headless Chromium: chooses two files,
// watches the bars move, keeps screenshots. Arguments: chromedriver's URL, the
// page's URL, a folder for profile and screenshots, the files.
import fs from 'node:fs';

import { Browser } from './webdriver.mjs';

const [driverUrl, pageUrl, folder, ...files] = process.argv.slice(2);
const DEADLINE_MS = 60000;

function readRows() {
    return [...document.querySelectorAll('.upload')].map((row) => ({
        ...row.dataset,
        bar: row.querySelector('progress')?.value,
        text: row.innerText,
    }));
}

function fail(why) {
    console.log(`FAULT: ${why}`);
    process.exitCode = 1;
}

// Polls until all rows are final; keeps every reading.
async function watch(browser) {
    const readings = [];
    const end = Date.now() + DEADLINE_MS;
    let shot = false;

    for (;;) {
        const rows = await browser.run(`return (${readRows})()`);

        readings.push(rows);
        if (!shot && rows.some((row) => Number(row.percent) > 30)) {
            fs.writeFileSync(`${folder}/page-uploading.png`, await browser.screenshot());
            shot = true;
        }
        if (rows.length === files.length && rows.every((row) => row.state === 'done')) {
            break;
        }
        if (Date.now() > end) {
            fail(`not done in time: ${JSON.stringify(rows)}`);
            break;
        }
        await new Promise((next) => setTimeout(next, 100));
    }
    fs.writeFileSync(`${folder}/page-done.png`, await browser.screenshot());
    return readings;
}

function judge(readings) {
    files.forEach((file, index) => {
        const percents = readings.map((rows) => Number(rows[index]?.percent || 0));
        const moving = new Set(percents.filter((p) => p > 0 && p < 100)).size;

        console.log(`${file}: ${percents.join(' ')}`);
        if (moving < 5) {
            fail(`the bar of ${file} moved only ${moving} times`);
        }
        if (percents.some((p, i) => i > 0 && p < percents[i - 1])) {
            fail(`the bar of ${file} went back`);
        }
        if (percents.at(-1) !== 100) {
            fail(`the bar of ${file} ended at ${percents.at(-1)}`);
        }
    });
}

const browser = await Browser.open(driverUrl, `${folder}/profile`);
try {
    await browser.go(pageUrl);
    await browser.type('#files', files.join('\n'));
    judge(await watch(browser));
    const messages = await browser.messages();
    messages.filter((m) => m.level === 'SEVERE' && !m.message.includes('favicon.ico'))
        .forEach((m) => fail(`the console says: ${m.message}`));
} finally {
    await browser.close();
}
