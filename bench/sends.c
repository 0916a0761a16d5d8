// What a plain C program pays to send one small frame to each of many loopback sockets: `sends N
// BYTES SECONDS [ROUNDS/s]`. One thread sends round after round, to every socket in turn, another
// reads; with a rate the rounds fall due at it, so that the reader sleeps in between as clients do.
//
// build: cc -O2 -pthread -o sends sends.c
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tally.h"

static int count, *senders, reader_poll;
static volatile int stopped;

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static void connect_all(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  if (bind(listener, (void *)&address, size) || listen(listener, 128)) fail("listen");
  getsockname(listener, (void *)&address, &size);
  senders = malloc(count * sizeof *senders);
  reader_poll = epoll_create1(0);
  for (int i = 0; i < count; i++) {
    senders[i] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(senders[i], (void *)&address, size)) fail("connect");
    setsockopt(senders[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = accept(listener, NULL, NULL)};
    if (epoll_ctl(reader_poll, EPOLL_CTL_ADD, event.data.fd, &event)) fail("epoll_ctl");
  }
}

static void *read_all(void *nothing) {
  static char data[1 << 16];
  struct epoll_event events[512];
  while (!stopped) {
    int got = epoll_wait(reader_poll, events, 512, 10);
    for (int i = 0; i < got; i++)
      if (recv(events[i].data.fd, data, sizeof data, MSG_DONTWAIT) == 0) fail("recv");
  }
  return nothing;
}

static void wait_until(uint64_t due) {
  struct timespec t = {due / 1000000000, due % 1000000000};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

int main(int argument_count, char **values) {
  static char frame[1 << 16];
  if (argument_count < 4) return 2;
  count = atoi(values[1]);
  size_t length = atoi(values[2]);
  double rate = argument_count > 4 ? atof(values[4]) : 0;
  connect_all();
  pthread_t reader;
  if (pthread_create(&reader, NULL, read_all, NULL)) fail("pthread_create");
  uint64_t sends = 0, begun = now(), due = begun, stop_at = begun + (uint64_t)(atof(values[3]) * 1e9);
  double cpu = cpu_seconds();
  while (now() < stop_at) {
    for (int i = 0; i < count; i++) {
      if (send(senders[i], frame, length, MSG_NOSIGNAL) != (ssize_t)length) fail("send");
      sends++;
    }
    if (rate > 0) wait_until(due += 1e9 / rate);
  }
  printf("{\"sends\":%lu,\"cpu_us\":%.3f,\"rate\":%.0f}\n", sends,
         (cpu_seconds() - cpu) * 1e6 / sends, sends / ((now() - begun) / 1e9));
  stopped = 1;
  pthread_join(reader, NULL);
  return 0;
}
