// Load over HTTP/1.1 keep-alive connections, one request in flight on each, one epoll thread.
//
// Closed loop by default: a connection sends its next request when the answer has come. With -r the
// loop is open: requests fall due at a fixed rate and wait for a free connection, and their latency
// counts from when they were due, so a stalled server cannot hide its own stalls.
//
// Requests go round the targets file, a line each: PATH[TAB]WORD. In the body template {w} is that
// WORD, {n} a rising 12-digit number and {t} the send time as 19 digits of CLOCK_MONOTONIC ns, so
// no two bodies are equal. Without a body template the method is GET.
//
// build: cc -O2 -o load load.c
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { IN_SIZE = 1 << 20, MARKS = 4, DRAIN_SECONDS = 10 };

typedef struct {
  char *request;
  int length;
  int numbers[MARKS], times[MARKS], number_count, time_count;
} Target;

typedef struct {
  int fd, index, received, sent;
  char *in, *out;
  int out_length;
  uint64_t due;  // 0: nothing in flight
} Connection;

static int port = 8000, connections = 1;
static double seconds = 3, warm_up = 0, rate = 0;
static uint64_t most = UINT64_MAX;
static char *headers = "", *body = NULL;
static Target *targets;
static int target_count, next_target, longest;
static Connection *all, **idle;
static int idle_count, epoll_fd, timer_fd;
static uint64_t started, accepted, refused, failed, reconnects, bytes;
static uint64_t measured_from, stop_at, next_due, measured;
static uint32_t *latencies;
static size_t latency_room;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static char *slurp(const char *name) {
  FILE *file = fopen(name, "rb");
  if (!file) fail(name);
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  char *text = malloc(size + 1);
  if (fread(text, 1, size, file) != (size_t)size) fail(name);
  text[size] = 0;
  fclose(file);
  return text;
}

static char *with_word(const char *template, const char *word) {
  char *text = malloc(strlen(template) + strlen(word) * MARKS + 1), *end = text;
  for (const char *from = template; *from;) {
    if (!strncmp(from, "{w}", 3)) {
      end = stpcpy(end, word);
      from += 3;
    } else {
      *end++ = *from++;
    }
  }
  *end = 0;
  return text;
}

// Widens each {n} and {t} to its digits and remembers where they stand.
static char *with_digits(const char *template, Target *target) {
  char *text = malloc(strlen(template) + MARKS * 40), *end = text;
  for (const char *from = template; *from;) {
    int is_number = !strncmp(from, "{n}", 3), is_time = !strncmp(from, "{t}", 3);
    if (is_number && target->number_count < MARKS) {
      target->numbers[target->number_count++] = end - text;
      end += sprintf(end, "%012d", 0);
      from += 3;
    } else if (is_time && target->time_count < MARKS) {
      target->times[target->time_count++] = end - text;
      end += sprintf(end, "%019d", 0);
      from += 3;
    } else {
      *end++ = *from++;
    }
  }
  *end = 0;
  return text;
}

static void add_target(char *line) {
  targets = realloc(targets, (target_count + 1) * sizeof *targets);
  Target *target = &targets[target_count++];
  memset(target, 0, sizeof *target);
  char *word = strchr(line, '\t');
  if (word) *word++ = 0;
  char *content = body ? with_digits(with_word(body, word ? word : ""), target) : "";
  char length[80] = "";
  if (body)
    sprintf(length, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(content));
  int head = asprintf(&target->request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s\r\n%s",
                      body ? "POST" : "GET", line, port, headers, length, content);
  target->length = head;
  head -= strlen(content);
  for (int i = 0; i < target->number_count; i++) target->numbers[i] += head;
  for (int i = 0; i < target->time_count; i++) target->times[i] += head;
  if (target->length > longest) longest = target->length;
}

static void read_targets(const char *name) {
  for (char *line = strtok(slurp(name), "\n"); line; line = strtok(NULL, "\n")) add_target(line);
  if (!target_count) {
    fprintf(stderr, "%s: no targets\n", name);
    exit(2);
  }
}

static void open_connection(Connection *c) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int one = 1;
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (void *)&address, sizeof address)) fail("connect");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event)) fail("epoll_ctl");
  c->received = 0;
}

static void put_digits(char *at, uint64_t value, int width) {
  while (width--) {
    at[width] = '0' + value % 10;
    value /= 10;
  }
}

static void send_request(Connection *c, uint64_t due) {
  Target *target = &targets[next_target++ % target_count];
  next_target %= target_count;
  memcpy(c->out, target->request, target->length);
  for (int i = 0; i < target->number_count; i++) put_digits(c->out + target->numbers[i], started, 12);
  for (int i = 0; i < target->time_count; i++) put_digits(c->out + target->times[i], due, 19);
  started++;
  c->due = due;
  // One small request into an empty socket buffer: the kernel takes it whole.
  if (send(c->fd, c->out, target->length, MSG_NOSIGNAL) != target->length) shutdown(c->fd, SHUT_RDWR);
}

static int may_start(void) { return started < most && now() < stop_at; }

static void send_what_is_due(void) {
  uint64_t t = now();
  while (idle_count && next_due <= t && started < most && next_due < stop_at) {
    send_request(idle[--idle_count], next_due);
    next_due += 1e9 / rate;
  }
  struct itimerspec wake = {.it_value = {next_due / 1000000000, next_due % 1000000000}};
  if (next_due > t) timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &wake, NULL);
}

static void rest(Connection *c) {
  c->due = 0;
  if (rate == 0 && may_start())
    send_request(c, now());
  else
    idle[idle_count++] = c;
}

static void note_latency(uint64_t due, uint64_t t) {
  if (t < measured_from || t > stop_at) return;
  if (measured == latency_room) {
    latency_room = latency_room ? latency_room * 2 : 1 << 20;
    latencies = realloc(latencies, latency_room * sizeof *latencies);
  }
  latencies[measured++] = (t - due) / 1000;
}

static int content_length(const char *head, const char *end) {
  for (const char *line = head; line && line < end; line = memchr(line, '\n', end - line)) {
    if (*line == '\n') line++;
    if (!strncasecmp(line, "content-length:", 15)) return atoi(line + 15);
  }
  return strncmp(head + 9, "204", 3) ? -1 : 0;
}

static void finish(Connection *c) {
  char *end = memmem(c->in, c->received, "\r\n\r\n", 4);
  if (!end) return;
  int length = content_length(c->in, end), head = end + 4 - c->in;
  if (length < 0 || head + length > IN_SIZE) {
    fprintf(stderr, "an answer without content-length, or too long: %.*s\n", head, c->in);
    exit(2);
  }
  if (c->received < head + length) return;
  bytes += head + length;
  if (c->in[9] == '2')
    accepted++;
  else if (refused++ < 3)
    fprintf(stderr, "refused: %.*s\n", head + length > 600 ? 600 : head + length, c->in);
  note_latency(c->due, now());
  c->received = 0;
  rest(c);
}

static void receive(Connection *c) {
  int count = recv(c->fd, c->in + c->received, IN_SIZE - c->received, 0);
  if (count > 0) {
    c->received += count;
    finish(c);
    return;
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  close(c->fd);
  if (++reconnects > 1000) {
    fprintf(stderr, "the server keeps closing connections\n");
    exit(2);
  }
  open_connection(c);
  if (c->due) {
    failed++;
    rest(c);
  }
}

static void turn(int milliseconds) {
  struct epoll_event events[256];
  int count = epoll_wait(epoll_fd, events, 256, milliseconds);
  for (int i = 0; i < count; i++) {
    uint64_t ticks;
    if (events[i].data.ptr)
      receive(events[i].data.ptr);
    else if (read(timer_fd, &ticks, sizeof ticks) < 0 && errno != EAGAIN)
      fail("timerfd");
  }
}

static int ascending(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static double quantile(double q) {
  if (!measured) return 0;
  uint64_t at = q * measured;
  return latencies[at < measured ? at : measured - 1] / 1e3;
}

static void report(uint64_t ended) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  double cpu = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
               (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  double span = ((ended < stop_at ? ended : stop_at) - measured_from) / 1e9;
  qsort(latencies, measured, sizeof *latencies, ascending);
  printf("{\"requests\":%llu,\"seconds\":%.3f,\"rate\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
         "\"max_ms\":%.3f,\"accepted\":%llu,\"refused\":%llu,\"failed\":%llu,\"reconnects\":%llu,"
         "\"bytes\":%llu,\"cpu_seconds\":%.3f}\n",
         (unsigned long long)measured, span, measured / span, quantile(.5), quantile(.99),
         quantile(1), (unsigned long long)accepted, (unsigned long long)refused,
         (unsigned long long)failed, (unsigned long long)reconnects, (unsigned long long)bytes, cpu);
}

static void read_options(int count, char **values) {
  char *targets_file = NULL;
  for (int option; (option = getopt(count, values, "p:c:d:u:r:n:t:H:b:")) != -1;) {
    switch (option) {
      case 'p': port = atoi(optarg); break;
      case 'c': connections = atoi(optarg); break;
      case 'd': seconds = atof(optarg); break;
      case 'u': warm_up = atof(optarg); break;
      case 'r': rate = atof(optarg); break;
      case 'n': most = strtoull(optarg, NULL, 10); break;
      case 't': targets_file = optarg; break;
      case 'H': headers = slurp(optarg); break;
      case 'b': body = slurp(optarg); break;
      default: exit(2);
    }
  }
  if (!targets_file) {
    fprintf(stderr,
            "load -t TARGETS [-p port] [-c connections] [-d seconds] [-u warm-up seconds]\n"
            "     [-r requests/s] [-n requests] [-H headers file, CRLF lines] [-b body template]\n");
    exit(2);
  }
  read_targets(targets_file);
}

int main(int count, char **values) {
  read_options(count, values);
  epoll_fd = epoll_create1(0);
  timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &event);
  all = calloc(connections, sizeof *all);
  idle = calloc(connections, sizeof *idle);
  for (int i = 0; i < connections; i++) {
    all[i].in = malloc(IN_SIZE + 1);
    all[i].out = malloc(longest);
    open_connection(&all[i]);
  }
  uint64_t begun = now();
  measured_from = begun + (uint64_t)(warm_up * 1e9);
  stop_at = measured_from + (uint64_t)(seconds * 1e9);
  next_due = begun;
  for (int i = 0; i < connections; i++) rest(&all[i]);
  while (may_start()) {
    if (rate > 0) send_what_is_due();
    turn(100);
  }
  uint64_t patience = now() + DRAIN_SECONDS * 1000000000ull;
  while (idle_count < connections && now() < patience) turn(100);
  failed += connections - idle_count;
  report(now());
  return 0;
}
