/* Where a byte count comes from, best first, and how well it is known. */
#ifndef SIDECAR_GAUGE_H
#define SIDECAR_GAUGE_H

enum gauge {
    GAUGE_NONE,   /* nothing has been measured */
    GAUGE_SPOOL,  /* the size of nginx's temporary body file */
    GAUGE_SOCKET, /* what the kernel says that nginx has read */
    GAUGE_BODY,   /* a mirrored body, counted */
    GAUGE_END,    /* nginx's log line at the end of the request */
    GAUGES
};

/* The name in the detailed output, NULL for none. */
const char *gauge_name(enum gauge gauge);

#endif
