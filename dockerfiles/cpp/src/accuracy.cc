#include "accuracy.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "fault.h"
#include "files.h"
#include "sha256.h"

namespace sut {

namespace {

using Answers = std::map<size_t, std::string>;  // response bytes by sample index

int digit(char letter) {
    if (letter >= '0' && letter <= '9') return letter - '0';
    if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
    if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
    throw Fault("the accuracy log is malformed: an answer is not in hex digits");
}

std::string bytes_of(const std::string& hex) {
    if (hex.size() % 2 != 0) throw Fault("the accuracy log is malformed: an answer has half a byte");
    std::string bytes;
    for (size_t place = 0; place < hex.size(); place += 2)
        bytes += static_cast<char>(digit(hex[place]) << 4 | digit(hex[place + 1]));
    return bytes;
}

// Of a sample answered twice (padded queries) the first counts.
Answers logged_answers(const std::string& text) {
    Answers answers;
    try {
        for (const auto& entry : nlohmann::json::parse(text))
            answers.emplace(entry.at("qsl_idx").get<size_t>(), bytes_of(entry.at("data").get<std::string>()));
    } catch (const nlohmann::json::exception& error) {
        throw Fault(std::string("the accuracy log is malformed: ") + error.what());
    }
    return answers;
}

// Answers are one int32 class each.
size_t top1(const Answers& answers, const std::vector<int64_t>& labels) {
    size_t good = 0;
    for (const auto& [index, answer] : answers) {
        int32_t found = 0;
        if (answer.size() != sizeof found)
            throw Fault("the answer to sample " + std::to_string(index) + " has " +
                        std::to_string(answer.size()) + " bytes, not 4");
        std::memcpy(&found, answer.data(), sizeof found);
        good += found == labels[index] ? 1 : 0;
    }
    return good;
}

std::vector<double> direction(const std::string& answer) {
    std::vector<double> vector;
    double squares = 0;
    for (size_t place = 0; place + sizeof(float) <= answer.size(); place += sizeof(float)) {
        float value = 0;
        std::memcpy(&value, answer.data() + place, sizeof value);
        vector.push_back(static_cast<double>(value));
        squares += vector.back() * vector.back();
    }
    for (auto& value : vector) value /= std::max(std::sqrt(squares), 1e-12);
    return vector;
}

double likeness(const std::vector<double>& one, const std::vector<double>& other) {
    double sum = 0;
    for (size_t place = 0; place < one.size(); ++place) sum += one[place] * other[place];
    return sum;
}

// Leave-one-out: the label of the most similar other sample (cosine of float32 vectors) against the own one.
size_t nn1(const Answers& answers, const std::vector<int64_t>& labels) {
    std::vector<std::vector<double>> vectors;
    std::vector<int64_t> own;
    for (const auto& [index, answer] : answers) {
        vectors.push_back(direction(answer));
        own.push_back(labels[index]);
        if (answer.size() != answers.begin()->second.size()) throw Fault("nn1 needs vectors of one length");
    }
    if (vectors.size() < 2) throw Fault("nn1 needs two samples or more");
    size_t good = 0;
    for (size_t one = 0; one < vectors.size(); ++one) {
        size_t nearest = one == 0 ? 1 : 0;
        double most = -HUGE_VAL;
        for (size_t other = 0; other < vectors.size(); ++other) {
            const double alike = other == one ? -HUGE_VAL : likeness(vectors[one], vectors[other]);
            if (alike > most) most = alike, nearest = other;
        }
        good += own[nearest] == own[one] ? 1 : 0;
    }
    return good;
}

}  // namespace

std::string Accuracy::text() const {
    char line[128];
    std::snprintf(line, sizeof line, "accuracy=%.3f%%, good=%zu, total=%zu\n", 100 * value(), good, total);
    return line + ("hash=" + log_sha256 + "\n");
}

Accuracy judge(const std::string& log, Metric metric, const std::vector<int64_t>& labels, size_t expected) {
    const std::string text = read_text(log);
    const Answers answers = logged_answers(text);
    if (answers.size() != expected)
        throw Fault(log + ": " + std::to_string(answers.size()) + " samples were answered, " +
                    std::to_string(expected) + " were asked");
    if (!answers.empty() && answers.rbegin()->first >= labels.size())
        throw Fault(log + ": sample " + std::to_string(answers.rbegin()->first) + " is beyond the " +
                    std::to_string(labels.size()) + " labels");
    const size_t good = metric == Metric::top1 ? top1(answers, labels) : nn1(answers, labels);
    return {metric, good, expected, sha256(text)};
}

}  // namespace sut
