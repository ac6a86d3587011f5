#include "watch.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>

namespace sut {

namespace {

constexpr std::chrono::seconds kEvery{2};

sigset_t endings() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
    return signals;
}

}  // namespace

void end_on_signals() {
    signal(SIGPIPE, SIG_IGN);
    const sigset_t signals = endings();
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    std::thread([] {
        const sigset_t awaited = endings();
        int number = 0;
        if (sigwait(&awaited, &number) != 0) return;
        const char* name = number == SIGTERM ? "SIGTERM" : number == SIGINT ? "SIGINT" : "SIGHUP";
        std::fprintf(stderr, "error: ended by %s\n", name);
        _exit(128 + number);
    }).detach();
}

Progress::Progress(Counts counts) : counts_(std::move(counts)) {
    teller_ = std::thread([this] {
        std::unique_lock<std::mutex> lock(mutex_);
        while (!changed_.wait_for(lock, kEvery, [this] { return over_; })) tell();
    });
}

Progress::~Progress() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        over_ = true;
    }
    changed_.notify_all();
    teller_.join();
    tell();
}

void Progress::tell() const {
    const auto [completed, issued] = counts_();
    std::printf("progress completed=%zu issued=%zu\n", completed, issued);
    std::fflush(stdout);
}

}  // namespace sut
