#pragma once
// Connections of live.c and what it may do with them; the three on_… are its own.
#include <stddef.h>
#include <stdint.h>

#include "tally.h"

enum { DIGITS = 12 };  // of the number in a message

typedef enum { RECEIVER, SOCKET_SENDER, HTTP_SENDER } Role;

typedef struct {
  char *path, *token, *from, *message;  // of a receiver `token` is the path to resume by
  int length, number_at;
} Line;

typedef struct {
  Role role;
  Line *line;
  int fd, upgraded, ready, flying, limit;
  uint32_t number;  // of the message in flight over HTTP
  char *in, *out;
  size_t in_length, out_length, out_room;
  char session[80];
  Seen seen;
} Connection;

extern struct Wire {
  int port, sender_port;  // 0: senders use the same
  int plain;              // receivers without Socket.IO
  char *join;       // packet by which they enter the room
  char *ready_word;
  int epoll_fd, handshakes, ready;
  uint64_t bytes, acknowledged;
} wire;

void fail(const char *what);
void give_up(const char *what, const char *text, size_t length);

void open_connection(Connection *c);
void close_connection(Connection *c);  // with a reset
void put(Connection *c, const char *data, size_t length);
void put_text(Connection *c, const char *text, size_t length);  // as a masked frame
void flush_out(Connection *c);
void watch(Connection *c);
void receive(Connection *c);

void on_delivery(Connection *c, uint32_t number, uint64_t t);
void on_answered(Connection *c, uint32_t number, int ok, uint64_t t);
void on_loss(Connection *c, const char *why);
