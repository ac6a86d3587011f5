// How the harness fails: one line on stderr and an exit status, never a core file.
#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace sut {

constexpr int kFailed = 1;
constexpr int kBadInput = 2;

// A deliberate failure; `exit_code` is 2 when harness.json, model or data are at fault, else 1.
class Fault : public std::runtime_error {
  public:
    explicit Fault(const std::string& cause, int exit_code = kFailed)
        : std::runtime_error(cause), exit_code_(exit_code) {}
    int exit_code() const { return exit_code_; }

  private:
    int exit_code_;
};

// The error for a bad harness.json, model or data set; `where` is the file at fault.
Fault bad_input(const std::string& where, const std::string& cause);

// An exception's text in one line of at most 600 characters.
std::string one_line(const std::exception& error);

// Prints the one line.
void say(const std::exception& error);

// The exit status that belongs to an exception.
int exit_code_of(const std::exception& error);

// Ends the process at once, from whatever thread: LoadGen would wait for ever for a query that failed. The
// first error is the one that is told; LoadGen's destructors do not run.
[[noreturn]] void die(const std::exception& error) noexcept;

// Calls `action`; any exception ends the process through die(). For what LoadGen or a thread calls.
template <typename Action>
void guarded(Action&& action) noexcept {
    try {
        std::forward<Action>(action)();
    } catch (const std::exception& error) {
        die(error);
    }
}

// "; did you mean 'x'?" when one of `known` is near, else nothing.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& known);

// The words with commas between them.
std::string listed(const std::vector<std::string>& words);

}  // namespace sut
