// Judges LoadGen's accuracy log against a data set's labels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataset.h"

namespace sut {

// A judged log: value = good / total, a fraction.
struct Accuracy {
    Metric metric = Metric::top1;
    size_t good = 0;
    size_t total = 0;
    std::string log_sha256;

    double value() const { return static_cast<double>(good) / static_cast<double>(total); }

    // The content of accuracy.txt, in the form of the official scripts.
    std::string text() const;
};

// Compares each logged answer with its label; a Fault unless exactly `expected` samples were answered.
Accuracy judge(const std::string& log, Metric metric, const std::vector<int64_t>& labels, size_t expected);

}  // namespace sut
