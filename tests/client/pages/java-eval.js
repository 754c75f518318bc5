/* As the module's README: the ID in a header, the answer is JavaScript. */
'use strict';

window.probe = (url, id, show) => {
    const request = new XMLHttpRequest();

    request.open('GET', url);
    request.setRequestHeader('X-Progress-ID', id);
    request.onreadystatechange = () => {
        if (request.readyState === 4 && request.status === 200) {
            show(eval(request.responseText));
        }
    };
    request.send();
};
