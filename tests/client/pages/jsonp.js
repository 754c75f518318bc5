/*
 * As jquery-upload-progress with dataType "jsonp", for another origin: each
 * probe is a script element, with a callback of its own and, against caches,
 * the time.
 */
'use strict';

let probes = 0;

window.probe = (url, id, show) => {
    const script = document.createElement('script');
    const callback = `jQuery${Math.random().toString().slice(2)}_${probes++}`;

    window[callback] = show;
    script.src = `${url}?X-Progress-ID=${id}&callback=${callback}&_=${Date.now()}`;
    script.onload = () => {
        delete window[callback];
        script.remove();
    };
    document.head.append(script);
};
