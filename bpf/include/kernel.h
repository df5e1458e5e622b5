/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The kernel types the programs read, with only the fields they read.
 *
 * preserve_access_index makes every access a CO-RE relocation: the loader finds the field's real
 * place in the running kernel's BTF, so the order and the omissions here do not matter.
 */
#ifndef VEDETTE_KERNEL_H
#define VEDETTE_KERNEL_H

/* bpf_tracing.h names registers the kernel's way (di, si, ...) when it sees this guard. */
#define __VMLINUX_H__

#include <linux/bpf.h>
#include <stdbool.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
	unsigned long di;
	unsigned long si;
	unsigned long dx;
	unsigned long cx;
	unsigned long r10;
	unsigned long r8;
	unsigned long ax;
	unsigned long bx;
	unsigned long orig_ax;
};

/* Kernels that have it leave room for it below a stack's end. */
struct fred_info {
	unsigned int edata;
};

struct thread_info {
	u32 status;
};

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	s64 counter;
} atomic64_t;

typedef struct {
	unsigned int val;
} kuid_t;

typedef struct {
	unsigned int val;
} kgid_t;

struct qstr {
	u32 len;
	const unsigned char *name;
};

struct dentry;
struct pid;

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct super_block {
	u32 s_dev;
	unsigned long s_flags;
	unsigned long s_magic;
	struct dentry *s_root;
};

struct bpf_map {
	u32 id;
};

struct bpf_prog_aux {
	u32 id;
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};

struct timespec64 {
	s64 tv_sec;
	long tv_nsec;
};

struct inode {
	unsigned short i_mode;
	kuid_t i_uid;
	unsigned long i_ino;
	unsigned int i_nlink;
	u32 i_rdev;
	u32 i_generation;
	struct super_block *i_sb;
	struct hlist_head i_dentry;
	void *i_private;
};

struct seqcount {
	unsigned int sequence;
};

/* Until 6.6 the time of change is a field, until 6.11 one of another name, and then two. */
struct inode___6_6 {
	struct timespec64 i_ctime;
};

struct inode___6_11 {
	struct timespec64 __i_ctime;
};

struct inode___new {
	s64 i_ctime_sec;
	u32 i_ctime_nsec;
};

struct proc_inode {
	struct pid *pid;
	struct inode vfs_inode;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
	struct super_block *d_sb;
	union {
		struct hlist_node d_alias;
	} d_u;
};

/* Of kernels where the union has no name. */
struct dentry___7 {
	struct hlist_node d_alias;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	unsigned int f_flags;
	unsigned int f_mode;
	void *private_data;
};

/* Of kernels where the path is in a union with one that may not be written. */
struct file___union {
	struct path __f_path;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct fs_struct {
	struct path root;
	struct path pwd;
};

struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
	struct file *exe_file;
};

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t suid;
	kgid_t sgid;
	kuid_t euid;
	kgid_t egid;
};

struct xarray {
	void *xa_head;
};

struct idr {
	struct xarray idr_rt;
};

struct xa_node {
	unsigned char shift;
	void *slots[64];
};

struct pid_namespace {
	struct idr idr;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct hlist_head tasks[4];
	struct upid numbers[1];
};

enum pid_type {
	PIDTYPE_PID,
	PIDTYPE_TGID,
	PIDTYPE_PGID,
	PIDTYPE_SID,
};

struct tty_struct {
	char name[64];
};

struct signal_struct {
	atomic_t live;
	int nr_threads;
	u64 sum_sched_runtime;
	struct pid *pids[4];
	struct tty_struct *tty;
	int group_exit_code;
};

struct kernfs_node {
	u64 id;
	const char *name;
	struct kernfs_node *parent;
};

/* Since 6.15. */
struct kernfs_node___new {
	struct kernfs_node *__parent;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

enum cgroup_subsys_id {
	pids_cgrp_id = 100,
};

struct css_set {
	struct cgroup_subsys_state *subsys[1];
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	int pid;
	int tgid;
	int exit_code;
	unsigned int flags;
	unsigned int ptrace;
	u64 start_boottime;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct mm_struct *mm;
	struct fs_struct *fs;
	struct files_struct *files;
	struct signal_struct *signal;
	const struct cred *cred;
	struct css_set *cgroups;
	struct thread_info thread_info;
	void *stack;
	struct pid *thread_pid;
	struct hlist_node pid_links[4];
};

struct module {
	char name[56];
	unsigned long taints;
};

struct kernel_siginfo {
	int si_code;
};

struct linux_binprm {
	struct file *file;
	const char *filename;
	int argc;
};

/* The numbers are the running kernel's. */
enum kernel_read_file_id {
	READING_MODULE = 100,
	READING_KEXEC_IMAGE = 101,
};

enum kernel_load_data_id {
	LOADING_MODULE = 100,
	LOADING_KEXEC_IMAGE = 101,
};

enum lockdown_reason {
	LOCKDOWN_IOPORT = 100,
};

struct vm_area_struct {
	struct file *vm_file;
	unsigned long vm_flags;
};

struct iattr {
	unsigned int ia_valid;
};

struct in6_addr {
	u8 s6_addr[16];
};

struct sock_common {
	unsigned short skc_family;
	volatile unsigned char skc_state;
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport; /* network byte order */
	u16 skc_num; /* host byte order */
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_type;
	u16 sk_protocol;
	struct pid *sk_peer_pid;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct iovec {
	void *iov_base;
	u64 iov_len;
};

enum iter_type {
	ITER_IOVEC = 100,
	ITER_UBUF = 101,
};

struct iov_iter {
	u8 iter_type;
	u64 iov_offset;
	u64 nr_segs;
	const struct iovec *__iov;
	void *ubuf;
};

/* Until 5.13 the type has the direction in its lowest bit; until 6.3 the segments have another name. */
struct iov_iter___5_13 {
	unsigned int type;
};

struct iov_iter___6_3 {
	const struct iovec *iov;
};

struct msghdr {
	void *msg_name;
	int msg_namelen;
	struct iov_iter msg_iter;
};

#pragma clang attribute pop

struct sockaddr {
	u16 sa_family;
	char sa_data[14];
};

struct sockaddr_in {
	u16 sin_family;
	u16 sin_port;
	u32 sin_addr;
	u8 pad[8];
};

struct sockaddr_in6 {
	u16 sin6_family;
	u16 sin6_port;
	u32 sin6_flowinfo;
	u8 sin6_addr[16];
	u32 sin6_scope_id;
};

/* What the syscall tracepoints hand over; the layout is fixed by tracefs. */
struct sys_enter_args {
	u64 common;
	long id;
	unsigned long args[6];
};

struct sys_exit_args {
	u64 common;
	long id;
	long ret;
};

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd

#define SOCK_STREAM 1
#define SOCK_DGRAM 2

#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_UDPLITE 136
#define IPPROTO_MPTCP 262

#define EEXIST 17
#define EINPROGRESS 115

#define S_IFMT 00170000
#define S_IFSOCK 0140000
#define S_IFLNK 0120000
#define S_IFREG 0100000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define S_IFIFO 0010000

#define FMODE_READ 0x1
#define FMODE_WRITE 0x2
#define FMODE_CREATED 0x100000

#define AT_FDCWD -100

#define PIPEFS_MAGIC 0x50495045
#define TMPFS_MAGIC 0x01021994
#define PROC_SUPER_MAGIC 0x9fa0
#define PID_FS_MAGIC 0x50494446
#define NFS_SUPER_MAGIC 0x6969
#define CIFS_SUPER_MAGIC 0xff534d42
#define SMB2_SUPER_MAGIC 0xfe534d42
#define CEPH_SUPER_MAGIC 0x00c36400
#define AFS_FS_MAGIC 0x6b414653

/* The kernel's own instance of a file system, which nobody can mount. */
#define SB_NOUSER (1UL << 31)

#define PTRACE_MODE_ATTACH 0x2
#define PTRACE_POKETEXT 4
#define PTRACE_POKEDATA 5
#define PTRACE_SETREGS 13
#define PTRACE_ATTACH 16
#define PTRACE_SETREGSET 0x4205
#define PTRACE_SEIZE 0x4206

#define THREAD_SIZE 16384
#define TS_COMPAT 0x2

#define TTYAUX_MAJOR 5
#define TTY_MAJOR 4
#define UNIX98_PTY_SLAVE_MAJOR 136
#define UNIX98_PTY_MAJOR_COUNT 8
#define MEM_MAJOR 1

#endif
