/*
 * See record_grammar.h: errno values by their names (errno(3)), since numbers differ between machines and a
 * report is read by people. Aliases (EWOULDBLOCK, EDEADLOCK, EOPNOTSUPP's twin ENOTSUP) are written by one
 * name only.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "record_grammar.h"

#define ERRNO_MOST 4095 /* the largest value a system call can return */

#define NAME(symbol)                                                                                                   \
    {                                                                                                                  \
        symbol, #symbol                                                                                                \
    }
static const struct {
    int number;
    const char *name;
} names[] = {
    NAME(EPERM),           NAME(ENOENT),          NAME(ESRCH),       NAME(EINTR),        NAME(EIO),
    NAME(ENXIO),           NAME(E2BIG),           NAME(ENOEXEC),     NAME(EBADF),        NAME(ECHILD),
    NAME(EAGAIN),          NAME(ENOMEM),          NAME(EACCES),      NAME(EFAULT),       NAME(ENOTBLK),
    NAME(EBUSY),           NAME(EEXIST),          NAME(EXDEV),       NAME(ENODEV),       NAME(ENOTDIR),
    NAME(EISDIR),          NAME(EINVAL),          NAME(ENFILE),      NAME(EMFILE),       NAME(ENOTTY),
    NAME(ETXTBSY),         NAME(EFBIG),           NAME(ENOSPC),      NAME(ESPIPE),       NAME(EROFS),
    NAME(EMLINK),          NAME(EPIPE),           NAME(EDOM),        NAME(ERANGE),       NAME(EDEADLK),
    NAME(ENAMETOOLONG),    NAME(ENOLCK),          NAME(ENOSYS),      NAME(ENOTEMPTY),    NAME(ELOOP),
    NAME(ENOMSG),          NAME(EIDRM),           NAME(ENOSTR),      NAME(ENODATA),      NAME(ETIME),
    NAME(ENOSR),           NAME(ENONET),          NAME(EREMOTE),     NAME(ENOLINK),      NAME(EPROTO),
    NAME(EMULTIHOP),       NAME(EBADMSG),         NAME(EOVERFLOW),   NAME(EILSEQ),       NAME(EUSERS),
    NAME(ENOTSOCK),        NAME(EDESTADDRREQ),    NAME(EMSGSIZE),    NAME(EPROTOTYPE),   NAME(ENOPROTOOPT),
    NAME(EPROTONOSUPPORT), NAME(ESOCKTNOSUPPORT), NAME(EOPNOTSUPP),  NAME(EPFNOSUPPORT), NAME(EAFNOSUPPORT),
    NAME(EADDRINUSE),      NAME(EADDRNOTAVAIL),   NAME(ENETDOWN),    NAME(ENETUNREACH),  NAME(ENETRESET),
    NAME(ECONNABORTED),    NAME(ECONNRESET),      NAME(ENOBUFS),     NAME(EISCONN),      NAME(ENOTCONN),
    NAME(ESHUTDOWN),       NAME(ETOOMANYREFS),    NAME(ETIMEDOUT),   NAME(ECONNREFUSED), NAME(EHOSTDOWN),
    NAME(EHOSTUNREACH),    NAME(EALREADY),        NAME(EINPROGRESS), NAME(ESTALE),       NAME(EDQUOT),
    NAME(ECANCELED),       NAME(ENOKEY),          NAME(EKEYEXPIRED), NAME(EKEYREVOKED),  NAME(EKEYREJECTED),
    NAME(EOWNERDEAD),      NAME(ENOTRECOVERABLE), NAME(ERFKILL),
};
#undef NAME

const char *errno_name(int number)
{
    static char unnamed[16];
    if (number == 0)
        return "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == number)
            return names[i].name;
    if (number < 0 || number > ERRNO_MOST)
        number = ERRNO_MOST;
    snprintf(unnamed, sizeof unnamed, "E%d", number);
    return unnamed;
}

int errno_value(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].number;
    if (name[0] != 'E')
        return 0;
    uint64_t number = 0;
    if (!field_decimal((struct field){ name + 1, strlen(name + 1) }, ERRNO_MOST, &number))
        return 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == (int)number)
            return 0; /* it has a name: one value, one spelling */
    return (int)number;
}

static bool is_among(const char *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

bool errno_is_unsupported(const char *name)
{
    static const char *const unsupported[] = { "EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "ENOSYS",
                                               "ENODEV" };
    return is_among(unsupported, sizeof unsupported / sizeof *unsupported, name);
}

bool errno_is_starved(const char *name)
{
    static const char *const starved[] = { "EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EAGAIN" };
    return is_among(starved, sizeof starved / sizeof *starved, name);
}
