/* Journals what a process does to the files under $PHALANX_SHIM_ROOT, in order, with their bytes, so that a test can
 * rebuild what a disk would hold after a power cut at any point. Preloaded into a child of tests/power_cut.rs.
 *
 * A record: u8 kind, u64 inode, u64 number, u32 length, bytes; all little-endian.
 *   W inode offset bytes   written        T inode size            cut or stretched
 *   S inode                file synced    C inode 0 path          made
 *   R inode 0 from\0to     renamed        U inode 0 path          removed
 *   D 0 0 path             folder made    N 0 0 path              folder synced
 *   A 0 0 bytes            written to standard output: what the process told the world
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int journal = -1;
static const char *root;
static size_t root_length;

__attribute__((constructor)) static void start(void) {
    root = getenv("PHALANX_SHIM_ROOT");
    const char *path = getenv("PHALANX_SHIM_JOURNAL");
    if (!root || !path) return;
    root_length = strlen(root);
    journal = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void put(char kind, uint64_t inode, uint64_t number, const void *bytes, size_t length) {
    char head[21];
    uint32_t short_length = (uint32_t)length;
    head[0] = kind;
    memcpy(head + 1, &inode, 8);
    memcpy(head + 9, &number, 8);
    memcpy(head + 17, &short_length, 4);
    struct iovec parts[2] = {{head, sizeof head}, {(void *)bytes, length}};
    if (syscall(SYS_writev, journal, parts, 2) != (long)(sizeof head + length)) abort();
}

static int inside(const char *path) {
    return journal >= 0 && path && strncmp(path, root, root_length) == 0;
}

/* Whether a descriptor is of a watched file; its inode. */
static int watched(int fd, uint64_t *inode, int *folder) {
    char link[64], path[PATH_MAX];
    struct stat status;
    if (journal < 0) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (!inside(path) || fstat(fd, &status)) return 0;
    *inode = status.st_ino;
    *folder = S_ISDIR(status.st_mode);
    if (*folder) put('N', 0, 0, path, strlen(path));
    return 1;
}

static int do_open(const char *path, int flags, mode_t mode) {
    struct stat status;
    pthread_mutex_lock(&lock);
    int is_new = inside(path) && (flags & O_CREAT) && stat(path, &status) != 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    int saved = errno;
    if (fd >= 0 && inside(path) && fstat(fd, &status) == 0) {
        if (is_new) put('C', status.st_ino, 0, path, strlen(path));
        if (flags & O_TRUNC) put('T', status.st_ino, 0, "", 0);
    }
    errno = saved;
    pthread_mutex_unlock(&lock);
    return fd;
}

#define OPEN(name, large)                             \
    int name(const char *path, int flags, ...) {      \
        va_list rest;                                 \
        va_start(rest, flags);                        \
        mode_t mode = va_arg(rest, mode_t);           \
        va_end(rest);                                 \
        return do_open(path, flags | (large), mode);  \
    }
OPEN(open, 0)
OPEN(open64, O_LARGEFILE)

static ssize_t do_pwrite(int fd, const void *bytes, size_t length, off64_t offset) {
    uint64_t inode;
    int folder;
    pthread_mutex_lock(&lock);
    ssize_t written = syscall(SYS_pwrite64, fd, bytes, length, offset);
    int saved = errno;
    if (written > 0 && watched(fd, &inode, &folder)) put('W', inode, (uint64_t)offset, bytes, (size_t)written);
    errno = saved;
    pthread_mutex_unlock(&lock);
    return written;
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return do_pwrite(fd, bytes, length, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) { return do_pwrite(fd, bytes, length, offset); }

ssize_t write(int fd, const void *bytes, size_t length) {
    uint64_t inode;
    int folder;
    pthread_mutex_lock(&lock);
    ssize_t written = syscall(SYS_write, fd, bytes, length);
    int saved = errno;
    if (written > 0 && journal >= 0) {
        if (fd == 1) {
            put('A', 0, 0, bytes, (size_t)written);
        } else if (watched(fd, &inode, &folder)) {
            off_t end = syscall(SYS_lseek, fd, 0, SEEK_CUR);
            put('W', inode, (uint64_t)(end - written), bytes, (size_t)written);
        }
    }
    errno = saved;
    pthread_mutex_unlock(&lock);
    return written;
}

/* What a watched file would be written with unseen ends the test instead. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
    uint64_t inode;
    int folder;
    if (fd != 2 && watched(fd, &inode, &folder)) abort();
    return syscall(SYS_writev, fd, parts, count);
}

static int do_sync(long number, int fd) {
    uint64_t inode;
    int folder;
    pthread_mutex_lock(&lock);
    /* The disk of the test need not wait for the real one: all that counts is what is journalled. */
    int is_watched = watched(fd, &inode, &folder);
    int result = is_watched ? 0 : (int)syscall(number, fd);
    int saved = errno;
    if (is_watched && !folder) put('S', inode, 0, "", 0);
    errno = saved;
    pthread_mutex_unlock(&lock);
    return result;
}
int fsync(int fd) { return do_sync(SYS_fsync, fd); }
int fdatasync(int fd) { return do_sync(SYS_fdatasync, fd); }
/* Neither metadata nor the drive's cache: it promises nothing, so it counts for nothing. */
int sync_file_range(int fd, off64_t from, off64_t count, unsigned flags) {
    (void)fd, (void)from, (void)count, (void)flags;
    return 0;
}

static int do_truncate(int fd, off64_t size) {
    uint64_t inode;
    int folder;
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_ftruncate, fd, size);
    int saved = errno;
    if (result == 0 && watched(fd, &inode, &folder)) put('T', inode, (uint64_t)size, "", 0);
    errno = saved;
    pthread_mutex_unlock(&lock);
    return result;
}
int ftruncate(int fd, off_t size) { return do_truncate(fd, size); }
int ftruncate64(int fd, off64_t size) { return do_truncate(fd, size); }

int rename(const char *from, const char *to) {
    char both[2 * PATH_MAX];
    struct stat status;
    pthread_mutex_lock(&lock);
    int known = inside(from) && stat(from, &status) == 0;
    int result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    int saved = errno;
    if (result == 0 && known) {
        int length = snprintf(both, sizeof both, "%s%c%s", from, 0, to);
        put('R', status.st_ino, 0, both, (size_t)length);
    }
    errno = saved;
    pthread_mutex_unlock(&lock);
    return result;
}

/* Files and folders; removing a folder with all that is in it names them relative to open folders. */
int unlinkat(int fd, const char *name, int flags) {
    char link[64], folder[PATH_MAX], path[2 * PATH_MAX];
    ssize_t length = 0;
    pthread_mutex_lock(&lock);
    if (fd != AT_FDCWD && name[0] != '/') {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        length = readlink(link, folder, sizeof folder - 1);
    }
    folder[length < 0 ? 0 : length] = 0;
    snprintf(path, sizeof path, "%s%s%s", folder, length > 0 ? "/" : "", name);
    int result = (int)syscall(SYS_unlinkat, fd, name, flags);
    int saved = errno;
    if (result == 0 && inside(path)) put('U', 0, 0, path, strlen(path));
    errno = saved;
    pthread_mutex_unlock(&lock);
    return result;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdir(const char *path, mode_t mode) {
    pthread_mutex_lock(&lock);
    int result = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    int saved = errno;
    if (result == 0 && inside(path)) put('D', 0, 0, path, strlen(path));
    errno = saved;
    pthread_mutex_unlock(&lock);
    return result;
}
