// Talkers over RTP: a socket a stream, a packet every 20 ms on each, and a count of what comes
// back.
//
// Streams are in groups whose sends are spread over the 20 ms. What arrives is timed by the kernel
// (SO_TIMESTAMPNS), so a wait in here is not taken for one in the server. The plan is a file, a
// line a stream:
//
//   FD START OFFSET STRIDE HEARS EAR SSRC LOCAL REMOTE
//
// FD is an inherited socket that is connected to the server; START is how many packets have been
// said on it before; OFFSET is the first frame to be said, -1 says nothing; STRIDE 1 goes through
// the frames, 0 repeats that one; HEARS is 1 when sound must come back; EAR is the line (from 0) of
// the stream whose marked frames are timed here, or -1; LOCAL and REMOTE are SRTP session keys in
// hexadecimal, 16 octets of key and 12 of salt (RFC 7714, AEAD_AES_128_GCM), or "-" for plain RTP.
//
// The frames file repeats: length, 2 octets little endian, then the payload. The highest bit marks
// a frame, which must be loud among silent ones.
//
// With -D the first streams that hear have their payloads written to a file, as 4 octets of line,
// 2 of length, payload. With -k what is neither RTP nor RTCP is handed to that descriptor, as 4
// octets of line, 2 of length, the datagram. Says "go" after the warm-up, one line of JSON in the
// end.
//
// build: cc -O2 -o load load.c -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
  FRAME_NS = 20000000,
  LATE_NS = 30000000,    // a packet more than half a frame late
  BEHIND_NS = 10000000,  // a send more than half a frame late
  PACKET = 2048,
  EVENTS = 512,
  KEY = 28,
  TAG = 16,
  TIMER = -1,
};

typedef struct {
  int fd, offset, stride, hears, ear, dumped;
  uint32_t ssrc;
  uint64_t index;  // packets said, which is also the SRTP index
  uint64_t marked;  // when a marked frame was sent, 0 when it has been heard
  void *seal, *open;
  uint8_t seal_salt[12], open_salt[12];
  uint64_t received, loud, lost, gaps, late, last;
  uint32_t roc;
  int known;
  uint16_t newest;
} Stream;

typedef struct {
  int length, mark;
  uint8_t *payload;
} Frame;

static Stream *streams;
static int stream_count, group_count = 4, frame_count, payload_type, step = 160, dump_most = 4;
static Frame *frames;
static double seconds = 4, warm_up = 1;
static int epoll_fd, timer_fd, keeper = -1, is_measured, is_ulaw;
static FILE *dump;
static uint64_t sent, behind, forged;
static float *delays;
static size_t delay_count, delay_room;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void fail(const char *what) {
  perror(what);
  exit(2);
}

// ── SRTP: the calls of libcrypto that it takes, by their stable names ──

static void *(*cipher_new)(void), *(*aes_128_gcm)(void);
static int (*seal_init)(void *, const void *, void *, const uint8_t *, const uint8_t *);
static int (*seal_update)(void *, uint8_t *, int *, const uint8_t *, int);
static int (*seal_final)(void *, uint8_t *, int *);
static int (*open_init)(void *, const void *, void *, const uint8_t *, const uint8_t *);
static int (*open_update)(void *, uint8_t *, int *, const uint8_t *, int);
static int (*open_final)(void *, uint8_t *, int *);
static int (*cipher_control)(void *, int, int, void *);
enum { GET_TAG = 0x10, SET_TAG = 0x11 };

static void *symbol(void *library, const char *name) {
  void *found = dlsym(library, name);
  if (!found) {
    fprintf(stderr, "libcrypto lacks %s\n", name);
    exit(3);
  }
  return found;
}

static void load_crypto(void) {
  void *library = dlopen("libcrypto.so.3", RTLD_NOW);
  if (!library) library = dlopen("libcrypto.so.1.1", RTLD_NOW);
  if (!library) {
    fprintf(stderr, "no libcrypto for SRTP: %s\n", dlerror());
    exit(3);
  }
  *(void **)&cipher_new = symbol(library, "EVP_CIPHER_CTX_new");
  *(void **)&aes_128_gcm = symbol(library, "EVP_aes_128_gcm");
  *(void **)&seal_init = symbol(library, "EVP_EncryptInit_ex");
  *(void **)&seal_update = symbol(library, "EVP_EncryptUpdate");
  *(void **)&seal_final = symbol(library, "EVP_EncryptFinal_ex");
  *(void **)&open_init = symbol(library, "EVP_DecryptInit_ex");
  *(void **)&open_update = symbol(library, "EVP_DecryptUpdate");
  *(void **)&open_final = symbol(library, "EVP_DecryptFinal_ex");
  *(void **)&cipher_control = symbol(library, "EVP_CIPHER_CTX_ctrl");
}

static void read_key(const char *hexadecimal, uint8_t *key) {
  if (strlen(hexadecimal) != 2 * KEY) {
    fprintf(stderr, "an SRTP key has %d octets\n", KEY);
    exit(3);
  }
  for (int at = 0; at < KEY; at++) sscanf(hexadecimal + 2 * at, "%2hhx", key + at);
}

static void nonce(uint8_t *out, const uint8_t *salt, const uint8_t *header, uint32_t roc) {
  uint8_t plain[12] = {0, 0, header[8], header[9], header[10], header[11],
                       roc >> 24, roc >> 16, roc >> 8, roc, header[2], header[3]};
  for (int at = 0; at < 12; at++) out[at] = plain[at] ^ salt[at];
}

static int protect(Stream *stream, uint8_t *packet, int length, uint32_t roc) {
  uint8_t iv[12];
  int done;
  nonce(iv, stream->seal_salt, packet, roc);
  seal_init(stream->seal, NULL, NULL, NULL, iv);
  seal_update(stream->seal, NULL, &done, packet, 12);
  seal_update(stream->seal, packet + 12, &done, packet + 12, length - 12);
  seal_final(stream->seal, packet + length, &done);
  cipher_control(stream->seal, GET_TAG, TAG, packet + length);
  return length + TAG;
}

static int unprotect(Stream *stream, uint8_t *packet, int header, int length) {
  uint8_t iv[12];
  int done;
  if (length < header + TAG) return -1;
  nonce(iv, stream->open_salt, packet, stream->roc);
  open_init(stream->open, NULL, NULL, NULL, iv);
  open_update(stream->open, NULL, &done, packet, header);
  open_update(stream->open, packet + header, &done, packet + header, length - header - TAG);
  cipher_control(stream->open, SET_TAG, TAG, packet + length - TAG);
  return open_final(stream->open, packet + length - TAG, &done) == 1 ? length - TAG : -1;
}

// ── what is said ──

static void read_frames(const char *name) {
  FILE *file = fopen(name, "rb");
  if (!file) fail(name);
  uint8_t size[2];
  while (fread(size, 1, 2, file) == 2) {
    frames = realloc(frames, (frame_count + 1) * sizeof *frames);
    Frame *frame = frames + frame_count++;
    frame->mark = size[1] >> 7;
    frame->length = size[0] | (size[1] & 0x7f) << 8;
    frame->payload = malloc(frame->length + 1);
    if (frame->length > PACKET - 64 || fread(frame->payload, 1, frame->length, file) !=
        (size_t)frame->length) fail("frames");
  }
  fclose(file);
  if (!frame_count) fail("no frames");
}

static void read_plan(const char *name) {
  FILE *file = fopen(name, "r");
  if (!file) fail(name);
  Stream s = {0};
  char local[80], remote[80];
  uint8_t key[KEY];
  while (fscanf(file, "%d %lu %d %d %d %d %u %79s %79s", &s.fd, &s.index, &s.offset, &s.stride,
                &s.hears, &s.ear, &s.ssrc, local, remote) == 9) {
    streams = realloc(streams, (stream_count + 1) * sizeof s);
    s.seal = NULL;
    if (*local != '-') {
      if (!cipher_new) load_crypto();
      read_key(local, key);
      memcpy(s.seal_salt, key + 16, 12);
      s.seal = cipher_new();
      seal_init(s.seal, aes_128_gcm(), NULL, key, NULL);
      read_key(remote, key);
      memcpy(s.open_salt, key + 16, 12);
      s.open = cipher_new();
      open_init(s.open, aes_128_gcm(), NULL, key, NULL);
    }
    streams[stream_count++] = s;
  }
  fclose(file);
  if (!stream_count) fail("no streams");
}

static void say(Stream *stream) {
  uint8_t packet[PACKET];
  if (stream->offset < 0) return;
  const Frame *frame = frames + (stream->offset + stream->index * stream->stride) % frame_count;
  uint32_t timestamp = stream->index * step;
  packet[0] = 0x80;
  packet[1] = payload_type | (stream->index ? 0 : 0x80);
  packet[2] = stream->index >> 8;
  packet[3] = stream->index;
  for (int at = 0; at < 4; at++) {
    packet[4 + at] = timestamp >> (24 - 8 * at);
    packet[8 + at] = stream->ssrc >> (24 - 8 * at);
  }
  memcpy(packet + 12, frame->payload, frame->length);
  int length = 12 + frame->length;
  if (stream->seal) length = protect(stream, packet, length, stream->index >> 16);
  if (frame->mark && stream->stride) stream->marked = now();
  if (send(stream->fd, packet, length, 0) == length && is_measured) sent++;
  stream->index++;
}

// ── what comes back ──

static int is_loud(const uint8_t *payload, int length) {
  if (!is_ulaw) return length > 12;
  int loud = 0;
  for (int at = 0; at < length; at += 4) loud += (payload[at] & 0x7f) < 0x50;
  return loud > length / 32;
}

static void keep_delay(uint64_t nanoseconds) {
  if (delay_count == delay_room) {
    delay_room = delay_room ? 2 * delay_room : 1024;
    delays = realloc(delays, delay_room * sizeof *delays);
  }
  delays[delay_count++] = nanoseconds / 1e6;
}

static void listen_for_mark(Stream *stream, int loud, uint64_t at) {
  Stream *speaker = streams + stream->ear;
  if (!loud || !speaker->marked || at < speaker->marked) return;
  if (is_measured) keep_delay(at - speaker->marked);
  speaker->marked = 0;
}

static void write_payload(const Stream *stream, const uint8_t *payload, int length) {
  uint32_t line = stream - streams;
  uint16_t size = length;
  fwrite(&line, 4, 1, dump);
  fwrite(&size, 2, 1, dump);
  fwrite(payload, 1, length, dump);
}

static void follow(Stream *stream, uint16_t sequence) {
  int16_t ahead = sequence - stream->newest;
  if (stream->known && ahead <= 0) return;
  if (stream->known && sequence < stream->newest) stream->roc++;
  if (stream->known && ahead > 1 && is_measured) stream->lost += ahead - 1;
  stream->newest = sequence;
  stream->known = 1;
}

static int header_length(const uint8_t *packet, int length) {
  int header = 12 + 4 * (packet[0] & 15);
  if (packet[0] & 16 && length >= header + 4)
    header += 4 + 4 * (packet[header + 2] << 8 | packet[header + 3]);
  return header <= length ? header : -1;
}

static void hear(Stream *stream, uint8_t *packet, int length, uint64_t at) {
  int header = header_length(packet, length);
  if (header < 0) return;
  follow(stream, packet[2] << 8 | packet[3]);
  int is_dumped = dump && stream->dumped;
  if (stream->seal && is_dumped) {
    length = unprotect(stream, packet, header, length);
    if (length < 0) {
      // The server may have begun with a high sequence number, and come round before this run.
      stream->roc ^= 1;
      forged++;
      return;
    }
  }
  int size = length - header - (stream->seal && !is_dumped ? TAG : 0);
  int loud = is_loud(packet + header, size);
  if (stream->ear >= 0) listen_for_mark(stream, loud, at);
  if (is_measured) {
    if (is_dumped) write_payload(stream, packet + header, size);
    stream->received++;
    stream->loud += loud;
    if (stream->last) {
      stream->gaps++;
      stream->late += at > stream->last + LATE_NS;
    }
    stream->last = at;
  }
}

static void hand_over(const Stream *stream, const uint8_t *packet, int length) {
  uint8_t record[PACKET + 6];
  uint32_t line = stream - streams;
  uint16_t size = length;
  if (keeper < 0) return;
  memcpy(record, &line, 4);
  memcpy(record + 4, &size, 2);
  memcpy(record + 6, packet, length);
  if (write(keeper, record, length + 6) < 0 && errno != EAGAIN) keeper = -1;
}

static void receive(Stream *stream) {
  uint8_t packet[PACKET];
  char control[64];
  struct iovec piece = {packet, sizeof packet};
  struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control,
                           .msg_controllen = sizeof control};
  int length = recvmsg(stream->fd, &message, MSG_DONTWAIT);
  if (length < 12) return;
  if (packet[0] >> 6 != 2) {
    hand_over(stream, packet, length);
    return;
  }
  if (packet[1] >= 192 && packet[1] <= 223) return;  // RTCP
  uint64_t at = 0;
  for (struct cmsghdr *each = CMSG_FIRSTHDR(&message); each; each = CMSG_NXTHDR(&message, each))
    if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_TIMESTAMPNS) {
      struct timespec t;
      memcpy(&t, CMSG_DATA(each), sizeof t);
      at = t.tv_sec * 1000000000ull + t.tv_nsec;
    }
  hear(stream, packet, length, at ? at : now());
}

static void drain(int milliseconds) {
  struct epoll_event events[EVENTS];
  int count = epoll_wait(epoll_fd, events, EVENTS, milliseconds);
  for (int at = 0; at < count; at++) {
    if (events[at].data.u32 != (uint32_t)TIMER) {
      receive(streams + events[at].data.u32);
      continue;
    }
    uint64_t expirations;
    if (read(timer_fd, &expirations, 8) < 0 && errno != EAGAIN) fail("timer");
  }
}

static void wait_until(uint64_t due) {
  struct itimerspec when = {.it_value = {due / 1000000000, due % 1000000000}};
  timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
  while (now() < due) drain(100);
}

static void say_group(int group, uint64_t due) {
  int count = 0;
  for (int line = group; line < stream_count; line += group_count) {
    say(streams + line);
    if (++count % 64 == 0) drain(0);
  }
  if (is_measured && now() > due + BEHIND_NS) behind += count;
}

static void enter(int fd, uint32_t line) {
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = line};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event)) fail("epoll");
}

static void prepare(void) {
  int on = 1, size = 1 << 18;
  prctl(PR_SET_TIMERSLACK, 1000ul);
  epoll_fd = epoll_create1(0);
  timer_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
  enter(timer_fd, TIMER);
  for (int line = 0; line < stream_count; line++) {
    setsockopt(streams[line].fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    setsockopt(streams[line].fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    enter(streams[line].fd, line);
    streams[line].dumped = streams[line].hears && dump_most-- > 0;
  }
}

// ── the account ──

static double cpu_seconds(void) {
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  return use.ru_utime.tv_sec + use.ru_stime.tv_sec +
         (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void print_account(double elapsed, double cpu) {
  uint64_t received = 0, lost = 0, late = 0, gaps = 0;
  int hearing = 0, starved = 0, silent = 0;
  double expected = elapsed * 1e9 / FRAME_NS, least = 1;
  for (Stream *s = streams; s < streams + stream_count; s++) {
    if (!s->hears) continue;
    hearing++;
    received += s->received;
    lost += s->lost;
    late += s->late;
    gaps += s->gaps;
    if (s->received / expected < least) least = s->received / expected;
    starved += s->received < 0.98 * expected - 1;
    silent += s->loud < 0.2 * expected;
  }
  printf("{\"streams\":%d,\"hearing\":%d,\"seconds\":%.6f,\"sent\":%lu,\"behind\":%lu,"
         "\"received\":%lu,\"lost\":%lu,\"late\":%lu,\"gaps\":%lu,\"least\":%.4f,\"starved\":%d,"
         "\"silent\":%d,\"forged\":%lu,\"cpu_seconds\":%.6f,\"delays\":[",
         stream_count, hearing, elapsed, sent, behind, received, lost, late, gaps, least, starved,
         silent, forged, cpu);
  for (size_t at = 0; at < delay_count; at++) printf("%s%.3f", at ? "," : "", delays[at]);
  printf("]}\n");
}

static void read_options(int count, char **words) {
  for (int option; (option = getopt(count, words, "f:P:d:u:g:t:s:D:n:k:")) != -1;) {
    switch (option) {
      case 'f': read_frames(optarg); break;
      case 'P': read_plan(optarg); break;
      case 'd': seconds = atof(optarg); break;
      case 'u': warm_up = atof(optarg); break;
      case 'g': group_count = atoi(optarg); break;
      case 't': payload_type = atoi(optarg); break;
      case 's': step = atoi(optarg); break;
      case 'D': if (!(dump = fopen(optarg, "wb"))) fail(optarg); break;
      case 'n': dump_most = atoi(optarg); break;
      case 'k': keeper = atoi(optarg); break;
      default: exit(2);
    }
  }
  is_ulaw = payload_type == 0;
  if (!frames || !streams || group_count < 1) {
    fprintf(stderr, "frames (-f) and a plan (-P) are needed\n");
    exit(2);
  }
}

int main(int count, char **words) {
  read_options(count, words);
  prepare();
  uint64_t begun = now() + 1000000, measured_from = begun + warm_up * 1e9;
  uint64_t end = measured_from + seconds * 1e9;
  double cpu = 0;
  for (uint64_t tick = 0; now() < end; tick++)
    for (int group = 0; group < group_count; group++) {
      uint64_t due = begun + tick * FRAME_NS + group * (uint64_t)FRAME_NS / group_count;
      wait_until(due);
      if (!is_measured && now() >= measured_from) {
        is_measured = 1;
        measured_from = now();
        cpu = cpu_seconds();
        printf("go\n");
        fflush(stdout);
      }
      say_group(group, due);
    }
  print_account((now() - measured_from) / 1e9, cpu_seconds() - cpu);
  return 0;
}
