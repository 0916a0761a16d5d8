// Live sessions: receivers on websockets that acknowledge every event, and senders that post.
//
// Receivers speak Engine.IO 4 with Socket.IO packets, every event answered with its `43N[]`, or plain
// websocket text, every event answered with its id. Senders post over HTTP/1.1 keep-alive, one
// request in flight on a connection, or emit `42N[…]` on a Socket.IO session and wait for `43N`.
// With -R messages fall due at a fixed rate and their age counts from then; otherwise a sender
// sends again when it is answered. With -C receivers are cut off (RST) and resume, in turn.
//
// Prints {"ready":N} when all are connected, measures when a line comes on stdin, and prints the
// counts; ends at the end of stdin. In the senders' body {f} is their third column and {n} a rising
// number of 12 digits by which receivers know the message: it must stand as (N={n}) in the text.
//
// build: cc -O2 -o live live.c wire.c
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

enum { HANDSHAKES = 64, SETUP_SECONDS = 180, DRAIN_SECONDS = 10 };

static int in_flight = 1, over_http = 1, sending;
static double seconds = 3, warm_up, rate, cuts;
static char *body = "";
static Line *receiver_lines, *sender_lines;
static int receiver_count, sender_line_count, count, timer_fd;
static int next_sender, next_cut_at, flying;
static Connection *all;
static Message *messages;
static uint32_t started, message_room;
static uint64_t measured_from, stop_at, next_due, next_cut, last_progress;
static uint64_t stored, stored_all, refused, delivered, delivered_all, unique, repeated, unknown;
static uint64_t dropped, reconnects, late;
static Histogram delivery, answer;

void on_loss(Connection *c, const char *why) {
  if (dropped++ < 3) fprintf(stderr, "lost a connection of role %d: %s\n", c->role, why);
  int may_return = c->role == RECEIVER && cuts > 0;
  close_connection(c);
  if (!sending && !may_return) exit(2);
  if (may_return) open_connection(c);
}

static void put_number(char *at, uint64_t value) {
  for (int width = DIGITS; width--; value /= 10) at[width] = '0' + value % 10;
}

static void send_message(Connection *c, uint64_t due) {
  if (started == message_room) {
    message_room = message_room ? message_room * 2 : 1 << 16;
    messages = realloc(messages, message_room * sizeof *messages);
  }
  messages[started] = (Message){.due = due};
  put_number(c->line->message + c->line->number_at, started);
  if (c->role == HTTP_SENDER) {
    put(c, c->line->message, c->line->length);
  } else {
    char *text = c->line->message;  // 42, the number as the id of its answer, the rest
    put_number(text + 2, started);
    put_text(c, text, c->line->length);
  }
  c->number = started++;
  c->flying++;
  flying++;
  flush_out(c);
}

static int may_send(Connection *c) { return c->ready && c->flying < c->limit; }

void on_answered(Connection *c, uint32_t number, int ok, uint64_t t) {
  c->flying--;
  flying--;
  last_progress = t;
  if (number >= started || messages[number].stored) {
    unknown++;
  } else if (ok) {
    messages[number].stored = 1;
    stored_all++;
    if (t >= measured_from && t < stop_at) {
      stored++;
      note(&answer, t - messages[number].due);
    }
  } else {
    refused++;
  }
  if (rate == 0 && t < stop_at && may_send(c)) send_message(c, t);
}

void on_delivery(Connection *c, uint32_t number, uint64_t t) {
  if (number >= started) {
    unknown++;
    return;
  }
  delivered_all++;
  if (see(&c->seen, number)) {
    repeated++;
    return;
  }
  unique++;
  last_progress = t;
  if (t < measured_from || t >= stop_at) return;
  delivered++;
  note(&delivery, t - messages[number].due);
}

static void turn(int milliseconds) {
  struct epoll_event events[512];
  int got = epoll_wait(wire.epoll_fd, events, 512, milliseconds);
  for (int i = 0; i < got; i++) {
    Connection *c = events[i].data.ptr;
    uint64_t ticks;
    if (!c) {
      if (read(timer_fd, &ticks, sizeof ticks) < 0 && errno != EAGAIN) fail("timerfd");
      continue;
    }
    if (c->fd < 0) continue;
    if (events[i].events & EPOLLOUT) {
      flush_out(c);
      if (!c->out_length) watch(c);
    }
    if (events[i].events & ~EPOLLOUT) receive(c);
  }
}

// ---- the run

static void send_what_is_due(uint64_t t) {
  Connection *senders = all + receiver_count;
  int sender_count = count - receiver_count;
  for (int asked = 0; next_due <= t && next_due < stop_at && asked < sender_count;) {
    Connection *c = &senders[next_sender++ % sender_count];
    asked++;
    if (!may_send(c)) continue;
    send_message(c, next_due);
    next_due += 1e9 / rate;
    asked = 0;
  }
}

static void cut_what_is_due(uint64_t t) {
  for (; next_cut <= t && next_cut < stop_at; next_cut += 1e9 / cuts) {
    Connection *c = &all[next_cut_at++ % receiver_count];
    if (!c->ready) {
      late++;
      continue;
    }
    close_connection(c);
    open_connection(c);
    reconnects++;
  }
}

static void keep_pace(void) {
  uint64_t t = now(), wake = UINT64_MAX;
  if (rate > 0) {
    send_what_is_due(t);
    if (next_due > t) wake = next_due;
  }
  if (cuts > 0) {
    cut_what_is_due(t);
    if (next_cut < wake) wake = next_cut;
  }
  if (wake == UINT64_MAX) return;
  struct itimerspec timer = {.it_value = {wake / 1000000000, wake % 1000000000}};
  timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &timer, NULL);
}

static int complete(void) {
  return !flying && wire.ready == count && unique >= stored_all * receiver_count;
}

static uint64_t lost_messages(void) {
  uint64_t lost = 0;
  for (int i = 0; i < receiver_count; i++)
    for (uint32_t number = 0; number < started; number++)
      lost += messages[number].stored && !has(&all[i].seen, number);
  return lost;
}

static void report(double cpu, double span, double whole) {
  printf("{\"receivers\":%d,\"seconds\":%.3f,\"whole_seconds\":%.3f,\"stored\":%lu,"
         "\"stored_all\":%lu,\"refused\":%lu,\"unanswered\":%d,\"delivered\":%lu,"
         "\"delivered_all\":%lu,\"lost\":%lu,\"repeated\":%lu,\"unknown\":%lu,\"acknowledged\":%lu,"
         "\"dropped\":%lu,\"reconnects\":%lu,\"late\":%lu,\"bytes\":%lu,\"cpu_seconds\":%.3f,",
         receiver_count, span, whole, stored, stored_all, refused, flying, delivered, delivered_all,
         lost_messages(), repeated, unknown, wire.acknowledged, dropped, reconnects, late,
         wire.bytes, cpu);
  printf("\"p50_ms\":%.3f,\"p95_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,"
         "\"answer_p50_ms\":%.3f,\"answer_p99_ms\":%.3f}\n",
         quantile(&delivery, .5), quantile(&delivery, .95), quantile(&delivery, .99),
         quantile(&delivery, 1), quantile(&answer, .5), quantile(&answer, .99));
  fflush(stdout);
}

static void measure(void) {
  uint64_t begun = now();
  measured_from = begun + (uint64_t)(warm_up * 1e9);
  stop_at = measured_from + (uint64_t)(seconds * 1e9);
  next_due = next_cut = begun;
  sending = 1;
  if (rate == 0)
    for (int i = receiver_count; i < count; i++)
      while (may_send(&all[i])) send_message(&all[i], now());
  double cpu = -1;
  while (now() < stop_at) {
    keep_pace();
    turn(100);
    if (cpu < 0 && now() >= measured_from) cpu = cpu_seconds();
  }
  cpu = cpu_seconds() - cpu;
  uint64_t stopped = last_progress = now();
  while (!complete() && now() - last_progress < DRAIN_SECONDS * 1000000000ull) turn(100);
  report(cpu, (stopped - measured_from) / 1e9, (now() - begun) / 1e9);
}

// ---- setting up

static char *slurp(const char *name) {
  FILE *file = fopen(name, "rb");
  if (!file) fail(name);
  char *text = NULL;
  size_t length = 0;
  if (getdelim(&text, &length, 0, file) < 0) text = strdup("");
  fclose(file);
  return text;
}

static Line *read_lines(const char *name, int *lines) {
  Line *read = NULL;
  char *rest = NULL;
  for (char *line = strtok_r(slurp(name), "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    read = realloc(read, (*lines + 1) * sizeof *read);
    Line *at = &read[(*lines)++];
    memset(at, 0, sizeof *at);
    at->path = strsep(&line, "\t");
    at->token = strsep(&line, "\t");
    at->from = strsep(&line, "\t");
  }
  return read;
}

static void compose(Line *line) {
  char *text = strdup(body), *at, *content;
  while ((at = strstr(text, "{f}"))) {
    if (asprintf(&content, "%.*s%s%s", (int)(at - text), text, line->from, at + 3) < 0) exit(2);
    text = content;
  }
  at = strstr(text, "(N={n})");
  if (!at) give_up("no (N={n}) in the body", body, strlen(body));
  if (asprintf(&content, "%.*s(N=%012d)%s", (int)(at - text), text, 0, at + 7) < 0) exit(2);
  if (over_http) {
    if (asprintf(&line->message,
                 "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n"
                 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                 line->path, wire.port, line->token, strlen(content), content) < 0)
      exit(2);
  } else if (asprintf(&line->message, "42%012d%s", 0, content) < 0) {
    exit(2);
  }
  line->length = strlen(line->message);
  line->number_at = strstr(line->message, "(N=") + 3 - line->message;
}

static void add_senders(void) {
  int each = over_http ? in_flight : 1;
  for (int i = 0; i < sender_line_count; i++) {
    compose(&sender_lines[i]);
    for (int k = 0; k < each; k++) {
      all[count++] = (Connection){.role = over_http ? HTTP_SENDER : SOCKET_SENDER,
                                  .line = &sender_lines[i],
                                  .limit = over_http ? 1 : in_flight};
    }
  }
}

static void connect_all(void) {
  uint64_t patience = now() + SETUP_SECONDS * 1000000000ull;
  for (int next = 0; wire.ready < count; turn(100)) {
    while (next < count && wire.handshakes < HANDSHAKES) open_connection(&all[next++]);
    if (now() > patience) {
      fprintf(stderr, "only %d of %d connections became ready\n", wire.ready, count);
      exit(2);
    }
  }
}

// Waits for a line on stdin; 0 when stdin ends instead.
static int told(void) {
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  char line[64];
  while (poll(&input, 1, 0) == 0) turn(20);
  return read(STDIN_FILENO, line, sizeof line) > 0;
}

static void read_options(int argument_count, char **values) {
  for (int option; (option = getopt(argument_count, values, "p:q:r:s:b:j:y:w:d:u:R:C:PS")) != -1;) {
    switch (option) {
      case 'p': wire.port = atoi(optarg); break;
      case 'q': wire.sender_port = atoi(optarg); break;
      case 'r': receiver_lines = read_lines(optarg, &receiver_count); break;
      case 's': sender_lines = read_lines(optarg, &sender_line_count); break;
      case 'b': body = slurp(optarg); break;
      case 'j': wire.join = optarg; break;
      case 'y': wire.ready_word = optarg; break;
      case 'w': in_flight = atoi(optarg); break;
      case 'd': seconds = atof(optarg); break;
      case 'u': warm_up = atof(optarg); break;
      case 'R': rate = atof(optarg); break;
      case 'C': cuts = atof(optarg); break;
      case 'P': wire.plain = 1; break;
      case 'S': over_http = 0; break;
      default:
        fprintf(stderr,
                "live -r RECEIVERS [-s SENDERS -b BODY] [-p port] [-q port of the senders]\n"
                "     [-j packet to join with] [-y word of the event that says ready]\n"
                "     [-w in flight of a sender] [-d seconds] [-u warm-up seconds] [-R messages/s] [-C cuts/s]\n"
                "     [-P plain receivers] [-S senders on Socket.IO]\n");
        exit(2);
    }
  }
}

int main(int argument_count, char **values) {
  read_options(argument_count, values);
  wire.epoll_fd = epoll_create1(0);
  timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(wire.epoll_fd, EPOLL_CTL_ADD, timer_fd, &event);
  all = calloc(receiver_count + (size_t)sender_line_count * in_flight + 1, sizeof *all);
  for (; count < receiver_count; count++)
    all[count] = (Connection){.role = RECEIVER, .line = &receiver_lines[count]};
  add_senders();
  uint64_t begun = now();
  connect_all();
  printf("{\"ready\":%d,\"seconds\":%.3f}\n", count, (now() - begun) / 1e9);
  fflush(stdout);
  if (told()) {
    measure();
    told();
  }
  return 0;
}
