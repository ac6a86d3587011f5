// What goes on beside the test: progress lines for the host, and an orderly end when a signal asks for one.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace sut {

// Ends the process with 128 + the signal's number, also as process 1 and while LoadGen holds the main thread.
// Call before any other thread starts: all threads must block the signals that the one thread waits for.
void end_on_signals();

// Prints (completed, issued) every two seconds while it lives, and once at its end.
class Progress {
  public:
    using Counts = std::function<std::pair<size_t, size_t>()>;

    explicit Progress(Counts counts);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

  private:
    void tell() const;

    Counts counts_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool over_ = false;
    std::thread teller_;
};

}  // namespace sut
