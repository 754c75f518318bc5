/* Lua blocks in nginx's configuration, whose text is not nginx's syntax. */
#ifndef SIDECAR_NGINX_LUA_H
#define SIDECAR_NGINX_LUA_H

/* The end of the names of directives that hold Lua. */
#define NGINX_LUA_SUFFIX "_by_lua_block"

/* Overwrites what is in Lua blocks with spaces, all but the ends of lines. */
void nginx_blank_lua(char *text);

#endif
