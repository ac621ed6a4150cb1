/*
 * The floor: a relay that parses nothing. Every client connection gets a backend connection, and bytes are
 * copied both ways by one thread with epoll (edge triggered), recv and send. What a proxy costs above this
 * is what HTTP costs it.
 *
 *     relay PORT BACKEND-PORT
 *
 * Both on 127.0.0.1. A side that is slow holds its partner's reads back. When one side ends, both are
 * closed after what was read has been written.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 65536, EVENTS = 512 };

/* One socket; `data` are bytes read from its partner that it would not take yet. */
struct side {
  int fd;
  int connecting;
  int dead;
  int ended; /* the peer has sent its last byte: read on until 0 */
  size_t start, end;
  char *data;
  struct side *partner;
};

static struct sockaddr_in backend;
static int epoll_fd;
static char shared[BUFFER_BYTES];
static struct side *garbage[EVENTS * 2];
static int garbage_count;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void watch(struct side *side) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = side};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, side->fd, &event) != 0) fail("epoll_ctl");
}

static void close_pair(struct side *side) {
  if (side->dead) return;
  struct side *both[2] = {side, side->partner};
  for (int i = 0; i < 2; i++) {
    both[i]->dead = 1;
    close(both[i]->fd);
    garbage[garbage_count++] = both[i];
  }
}

/* Writes what `to` has kept. 1: nothing is left, 0: it would not take all, -1: broken. */
static int flush_kept(struct side *to) {
  while (to->start < to->end) {
    ssize_t count = send(to->fd, to->data + to->start, to->end - to->start, MSG_NOSIGNAL);
    if (count < 0) return errno == EAGAIN ? 0 : -1;
    to->start += (size_t)count;
  }
  to->start = to->end = 0;
  return 1;
}

static int keep(struct side *to, size_t start, size_t end) {
  if (to->data == NULL && (to->data = malloc(BUFFER_BYTES)) == NULL) return -1;
  memcpy(to->data, shared + start, end - start);
  to->start = 0;
  to->end = end - start;
  return 0;
}

/* Moves bytes from `from` to its partner until one of them would wait. */
static void pump(struct side *from) {
  struct side *to = from->partner;
  if (from->dead || from->connecting) return;
  for (;;) {
    if (to->end > 0 && (to->connecting || flush_kept(to) != 1)) return;
    ssize_t count = recv(from->fd, shared, BUFFER_BYTES, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
      close_pair(from);
      return;
    }
    ssize_t sent = to->connecting ? 0 : send(to->fd, shared, (size_t)count, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
      close_pair(from);
      return;
    }
    if (sent < 0) sent = 0;
    if (sent < count && keep(to, (size_t)sent, (size_t)count) != 0) {
      close_pair(from);
      return;
    }
    if (count < BUFFER_BYTES && to->end == 0 && !from->ended) return;
  }
}

static void accept_all(int listener) {
  const int on = 1;
  for (;;) {
    int client_fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client_fd < 0) return;
    struct side *client = calloc(1, sizeof *client), *origin = calloc(1, sizeof *origin);
    if (client == NULL || origin == NULL) fail("calloc");
    client->fd = client_fd;
    origin->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    client->partner = origin;
    origin->partner = client;
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(origin->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(origin->fd, (struct sockaddr *)&backend, sizeof backend) != 0 && errno != EINPROGRESS)
      fail("connect");
    origin->connecting = 1;
    watch(origin);
    watch(client);
  }
}

static void step(struct side *side, uint32_t events) {
  if (side->dead) return;
  if (events & (EPOLLRDHUP | EPOLLHUP)) side->ended = 1;
  if (side->connecting) {
    if (!(events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) return;
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(side->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) {
      close_pair(side);
      return;
    }
    side->connecting = 0;
    pump(side->partner);
    if (side->dead) return;
  }
  if ((events & EPOLLOUT) && side->end > 0) {
    int flushed = flush_kept(side);
    if (flushed < 0) close_pair(side);
    else if (flushed == 1) pump(side->partner);
  }
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) pump(side);
}

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: relay PORT BACKEND-PORT\n");
    return 1;
  }
  signal(SIGPIPE, SIG_IGN);
  backend = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
  backend.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct sockaddr_in here = backend;
  here.sin_port = htons((uint16_t)atoi(argv[1]));
  const int on = 1;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (struct sockaddr *)&here, sizeof here) != 0 || listen(listener, 4096) != 0) fail("listen");
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS];
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) != 0) fail("epoll_ctl");
  for (;;) {
    int count = epoll_wait(epoll_fd, events, EVENTS, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr == NULL) accept_all(listener);
      else step(events[i].data.ptr, events[i].events);
    }
    while (garbage_count > 0) {
      struct side *side = garbage[--garbage_count];
      free(side->data);
      free(side);
    }
  }
}
