// The protocols of live.c: websocket frames, Engine.IO 4 with Socket.IO packets, HTTP/1.1 answers.
#define _GNU_SOURCE
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_SIZE = 8 << 20 };
enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };

struct Wire wire = {.port = 8000, .ready_word = ""};
static char shared[IN_SIZE];

void fail(const char *what) {
  perror(what);
  exit(2);
}

void give_up(const char *what, const char *text, size_t length) {
  fprintf(stderr, "%s: %.*s\n", what, (int)(length > 600 ? 600 : length), text);
  exit(2);
}

static void become_ready(Connection *c) {
  c->ready = 1;
  wire.ready++;
  wire.handshakes--;
}

void watch(Connection *c) {
  struct epoll_event event = {.events = EPOLLIN | (c->out_length ? EPOLLOUT : 0), .data.ptr = c};
  if (epoll_ctl(wire.epoll_fd, EPOLL_CTL_MOD, c->fd, &event)) fail("epoll_ctl");
}

static char *room(Connection *c, size_t length) {
  if (c->out_length + length > c->out_room) {
    c->out_room = (c->out_length + length) * 2;
    c->out = realloc(c->out, c->out_room);
  }
  char *at = c->out + c->out_length;
  c->out_length += length;
  return at;
}

void put(Connection *c, const char *data, size_t length) { memcpy(room(c, length), data, length); }

static void put_frame(Connection *c, int opcode, const char *text, size_t length) {
  static const unsigned char key[4] = {0x37, 0xfa, 0x21, 0x3d};
  int wide = length > 125;
  unsigned char *at = (unsigned char *)room(c, 6 + (wide ? 2 : 0) + length);
  *at++ = 0x80 | opcode;
  *at++ = 0x80 | (wide ? 126 : length);
  if (wide) {
    *at++ = length >> 8;
    *at++ = length;
  }
  memcpy(at, key, 4);
  for (size_t i = 0; i < length; i++) at[4 + i] = text[i] ^ key[i & 3];
}

void flush_out(Connection *c) {
  size_t before = c->out_length;
  if (!before) return;
  ssize_t sent = send(c->fd, c->out, before, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) {
    if (errno != EAGAIN) return;  // the reading side learns that it is gone
    sent = 0;
  }
  c->out_length -= sent;
  memmove(c->out, c->out + sent, c->out_length);
  if (c->out_length) watch(c);
}

void put_text(Connection *c, const char *text, size_t length) { put_frame(c, TEXT, text, length); }

void open_connection(Connection *c) {
  int port = c->role != RECEIVER && wire.sender_port ? wire.sender_port : wire.port;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int one = 1;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->fd < 0) fail("socket");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(c->fd, (void *)&address, sizeof address) && errno != EINPROGRESS) fail("connect");
  c->upgraded = c->ready = 0;
  c->in_length = c->out_length = 0;
  wire.handshakes++;
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
  if (epoll_ctl(wire.epoll_fd, EPOLL_CTL_ADD, c->fd, &event)) fail("epoll_ctl");
  if (c->role == HTTP_SENDER) return become_ready(c);
  char request[8192];
  const char *path = c->session[0] ? c->line->token : c->line->path;
  int length = snprintf(request, sizeof request,
                        "GET %s%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                        path, c->session, wire.port);
  put(c, request, length);
}

void close_connection(Connection *c) {
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(c->fd);
  c->fd = -1;
  if (c->ready)
    wire.ready--;
  else
    wire.handshakes--;
  c->ready = 0;
}

static void find_messages(Connection *c, const char *text, size_t length, uint64_t t) {
  const char *end = text + length;
  while ((text = memmem(text, end - text, "(N=", 3)) && end - text > DIGITS + 3) {
    uint32_t number = 0;
    for (int i = 3; i < DIGITS + 3; i++) number = number * 10 + text[i] - '0';
    on_delivery(c, number, t);
    text += DIGITS + 3;
  }
}

static void keep_session(Connection *c, const char *text, size_t length) {
  const char *at = memmem(text, length, "\"body\":{", 8), *end = text + length;
  at = at ? memmem(at, end - at, "\"id\":\"", 6) : NULL;
  const char *stop = at ? memchr(at + 6, '"', end - at - 6) : NULL;
  if (!stop || stop - at > 80) give_up("no session id", text, length);
  memcpy(c->session, at + 6, stop - at - 6);
}

static void on_event(Connection *c, const char *text, size_t length, uint64_t t) {
  size_t digits = 0;
  while (digits < length - 2 && text[2 + digits] >= '0' && text[2 + digits] <= '9') digits++;
  if (digits && digits < 20) {
    char reply[32] = "43";
    memcpy(reply + 2, text + 2, digits);
    memcpy(reply + 2 + digits, "[]", 2);
    put_frame(c, TEXT, reply, digits + 4);
    wire.acknowledged++;
  }
  if (!c->ready && memmem(text, length, wire.ready_word, strlen(wire.ready_word))) {
    if (c->line->token && *c->line->token && !c->session[0]) keep_session(c, text, length);
    become_ready(c);
  } else if (!c->ready && memmem(text, length, ":error:", 7)) {
    give_up("refused", text, length);
  }
  if (c->role == RECEIVER) find_messages(c, text, length, t);
}

static void on_packet(Connection *c, const char *text, size_t length, uint64_t t) {
  if (length >= 2 && text[0] == '4' && text[1] == '2') {
    on_event(c, text, length, t);
  } else if (length >= 2 && text[0] == '4' && text[1] == '3') {
    on_answered(c, strtoul(text + 2, NULL, 10), 1, t);
  } else if (length >= 2 && text[0] == '4' && text[1] == '0') {
    if (c->role == SOCKET_SENDER)
      become_ready(c);
    else if (wire.join)
      put_frame(c, TEXT, wire.join, strlen(wire.join));
  } else if (length && text[0] == '0') {
    put_frame(c, TEXT, "40", 2);
  } else if (length && text[0] == '2') {
    put_frame(c, TEXT, "3", 1);
  } else {
    give_up("unexpected packet", text, length);
  }
}

// {"id":N,… answered with N.
static void on_plain_text(Connection *c, const char *text, size_t length, uint64_t t) {
  size_t digits = 0;
  while (6 + digits < length && text[6 + digits] >= '0' && text[6 + digits] <= '9') digits++;
  if (length < 8 || !digits) give_up("an event without an id", text, length);
  put_frame(c, TEXT, text + 6, digits);
  wire.acknowledged++;
  find_messages(c, text, length, t);
}

// How much of the data is used: a whole frame, or nothing. -1: the server has closed.
static ssize_t on_frame(Connection *c, char *data, size_t length, uint64_t t) {
  unsigned char *head = (unsigned char *)data;
  if (length < 2) return 0;
  size_t size = head[1] & 127, start = size < 126 ? 2 : size == 126 ? 4 : 10;
  if (length < start) return 0;
  if (size == 126) size = head[2] << 8 | head[3];
  if (size == 127) {
    size = 0;
    for (int i = 2; i < 10; i++) size = size << 8 | head[i];
  }
  if (start + size > IN_SIZE) give_up("a frame too long", "", 0);
  if (length < start + size) return 0;
  char *text = data + start;
  if (head[0] == (0x80 | TEXT))
    wire.plain ? on_plain_text(c, text, size, t) : on_packet(c, text, size, t);
  else if (head[0] == (0x80 | PING))
    put_frame(c, PONG, text, size);
  else if (head[0] == (0x80 | CLOSE))
    return -1;
  else if (head[0] != (0x80 | PONG))
    give_up("a frame of an unexpected kind", text, size);
  return start + size;
}

static ssize_t on_upgrade(Connection *c, char *data, size_t length) {
  char *end = memmem(data, length, "\r\n\r\n", 4);
  if (!end) return 0;
  if (strncmp(data + 8, " 101 ", 5)) give_up("no upgrade", data, length);
  c->upgraded = 1;
  if (wire.plain) become_ready(c);
  return end + 4 - data;
}

static ssize_t on_response(Connection *c, char *data, size_t length, uint64_t t) {
  static int told;
  char *end = memmem(data, length, "\r\n\r\n", 4);
  if (!end) return 0;
  *end = 0;
  char *size = strcasestr(data, "content-length:");
  *end = '\r';
  if (!size) give_up("an answer without content-length", data, length);
  size_t whole = end + 4 - data + atoi(size + 15);
  if (length < whole) return 0;
  int ok = data[9] == '2';
  if (!ok && told++ < 3) fprintf(stderr, "refused: %.*s\n", (int)(whole > 600 ? 600 : whole), data);
  on_answered(c, c->number, ok, t);
  return whole;
}

static ssize_t consume(Connection *c, char *data, size_t length, uint64_t t) {
  if (c->role == HTTP_SENDER) return on_response(c, data, length, t);
  return c->upgraded ? on_frame(c, data, length, t) : on_upgrade(c, data, length);
}

void receive(Connection *c) {
  if (c->in_length) memcpy(shared, c->in, c->in_length);
  ssize_t got = recv(c->fd, shared + c->in_length, IN_SIZE - c->in_length, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return on_loss(c, got ? strerror(errno) : "closed");
  wire.bytes += got;
  uint64_t t = now();
  size_t length = c->in_length + got, used = 0;
  ssize_t taken = 0;
  while (used < length && (taken = consume(c, shared + used, length - used, t)) > 0) used += taken;
  if (taken < 0) return on_loss(c, "close frame");
  c->in_length = length - used;
  if (c->in_length || c->in) c->in = realloc(c->in, c->in_length ? c->in_length : 1);
  memcpy(c->in, shared + used, c->in_length);
  flush_out(c);
}
