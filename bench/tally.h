#pragma once
// What the generators of live.c and sends.c count with: clocks, a histogram, a set of numbers.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static inline uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

// User and system time of the calling thread.
static inline double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

typedef struct {
  uint64_t due;
  uint8_t stored;  // answered with success
} Message;

// Microseconds: exact below 128, then 64 buckets for each doubling, so within 1.6 %.
enum { EXACT = 128, STEPS = 64, BUCKETS = EXACT + 40 * STEPS };

typedef struct {
  uint64_t total, counts[BUCKETS];
} Histogram;

static inline void note(Histogram *histogram, uint64_t nanoseconds) {
  uint64_t us = nanoseconds / 1000, at = us;
  if (us >= EXACT) {
    int doublings = 63 - __builtin_clzll(us) - 7;
    at = EXACT + doublings * STEPS + ((us >> (doublings + 1)) & (STEPS - 1));
  }
  histogram->counts[at < BUCKETS ? at : BUCKETS - 1]++;
  histogram->total++;
}

// In milliseconds.
static inline double quantile(const Histogram *histogram, double q) {
  uint64_t wanted = q * histogram->total, passed = 0;
  if (!histogram->total) return 0;
  if (wanted >= histogram->total) wanted = histogram->total - 1;
  int at = 0;
  while ((passed += histogram->counts[at]) <= wanted) at++;
  if (at < EXACT) return at / 1e3;
  int doublings = (at - EXACT) / STEPS, step = (at - EXACT) % STEPS;
  return (double)((uint64_t)(STEPS + step) << (doublings + 1)) / 1e3;
}

typedef struct {
  uint8_t *bits;
  size_t room;
} Seen;

static inline int has(const Seen *seen, uint32_t number) {
  return number / 8 < seen->room && seen->bits[number / 8] >> (number % 8) & 1;
}

// 1: it was there already.
static inline int see(Seen *seen, uint32_t number) {
  if (number / 8 >= seen->room) {
    size_t grown = (number / 8 + 1) * 2;
    seen->bits = realloc(seen->bits, grown);
    memset(seen->bits + seen->room, 0, grown - seen->room);
    seen->room = grown;
  }
  int there = has(seen, number);
  seen->bits[number / 8] |= 1 << (number % 8);
  return there;
}
