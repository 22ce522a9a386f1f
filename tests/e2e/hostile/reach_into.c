/*
 * For `bottle run`: tries to reach into other processes (its parent, PID 1) and to put itself in the door's place. One line a
 * try: what, and the errno's number, 0 where it worked.
 */
#include "hostile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

static void say(const char *what, long result)
{
    printf("%s %d\n", what, result < 0 ? errno : 0);
}

static void reach(const char *who, pid_t pid)
{
    char what[64], byte = 0;
    struct iovec mine = { &byte, 1 }, theirs = { (void *)act, 1 };
    snprintf(what, sizeof what, "attach to %s", who);
    say(what, ptrace(PTRACE_ATTACH, pid, NULL, NULL));
    snprintf(what, sizeof what, "seize %s", who);
    say(what, ptrace(PTRACE_SEIZE, pid, NULL, NULL));
    snprintf(what, sizeof what, "read %s", who);
    say(what, process_vm_readv(pid, &mine, 1, &theirs, 1, 0));
    snprintf(what, sizeof what, "write %s", who);
    say(what, process_vm_writev(pid, &mine, 1, &theirs, 1, 0));
}

static void take_door(const char *name, int family, bool reuse_port)
{
    int yes = 1, one = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(7702) };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(7702) };
    inet_pton(AF_INET, family == AF_INET ? name : "0.0.0.0", &four.sin_addr);
    inet_pton(AF_INET6, family == AF_INET6 ? name : "::", &six.sin6_addr);
    setsockopt(one, SOL_SOCKET, reuse_port ? SO_REUSEPORT : SO_REUSEADDR, &yes, sizeof yes);
    int bound = family == AF_INET ? bind(one, (struct sockaddr *)&four, sizeof four)
                                  : bind(one, (struct sockaddr *)&six, sizeof six);
    if (bound == 0)
        bound = listen(one, 16);
    printf("door at %s%s %d\n", name, reuse_port ? ", port shared" : "", bound < 0 ? errno : 0);
}

static void act(void)
{
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        reach("the parent", parent);
        reach("PID 1", 1);
        say("open the memory of PID 1", open("/proc/1/mem", O_RDWR));
        say("open a descriptor of PID 1", open("/proc/1/fd/0", O_RDWR));
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    for (int reuse_port = 0; reuse_port < 2; reuse_port++) {
        take_door("127.0.0.1", AF_INET, reuse_port);
        take_door("0.0.0.0", AF_INET, reuse_port);
        take_door("::", AF_INET6, reuse_port);
        take_door("::ffff:127.0.0.1", AF_INET6, reuse_port);
    }
}
