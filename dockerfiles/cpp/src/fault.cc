#include "fault.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <mutex>
#include <numeric>
#include <sstream>

namespace sut {

namespace {

constexpr size_t kLongest = 600;

size_t distance(const std::string& one, const std::string& other) {
    std::vector<size_t> row(other.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= one.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= other.size(); ++j) {
            const size_t changed = diagonal + (one[i - 1] == other[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
        }
    }
    return row.back();
}

}  // namespace

Fault bad_input(const std::string& where, const std::string& cause) {
    return Fault(where + ": " + cause, kBadInput);
}

std::string one_line(const std::exception& error) {
    std::istringstream words(error.what());
    std::string text, word;
    while (words >> word) text += (text.empty() ? "" : " ") + word;
    return text.size() <= kLongest ? text : text.substr(0, kLongest - 3) + "...";
}

void say(const std::exception& error) { std::cerr << "error: " << one_line(error) << std::endl; }

int exit_code_of(const std::exception& error) {
    const auto* fault = dynamic_cast<const Fault*>(&error);
    return fault ? fault->exit_code() : kFailed;
}

void die(const std::exception& error) noexcept {
    static std::mutex dying;
    dying.lock();  // never released
    say(error);
    std::cout.flush();
    _exit(exit_code_of(error));
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& known) {
    std::string nearest;
    size_t least = std::max<size_t>(2, word.size() / 3) + 1;
    for (const auto& candidate : known) {
        const size_t far = distance(word, candidate);
        if (far < least) {
            least = far;
            nearest = candidate;
        }
    }
    return nearest.empty() ? "" : "; did you mean '" + nearest + "'?";
}

std::string listed(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

}  // namespace sut
