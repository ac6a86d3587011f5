// Data sets: a prepared folder of .npy files, or inputs generated from a graph's signature. Loads nothing to
// RAM.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "array.h"
#include "tensor.h"

namespace sut {

// What of a model's answer LoadGen is given for each sample.
enum class Response { argmax, argmax_from_1, mean_pool, stacked, raw };

// How an accuracy log is judged against the labels.
enum class Metric { top1, nn1 };

const char* name_of(Metric metric);

struct Dataset {
    std::string name;
    std::string where;
    size_t samples = 0;
    std::vector<std::pair<std::string, Array>> inputs;  // in the graph's order once bound
    std::optional<Array> mask;
    std::vector<int64_t> labels;
    std::optional<Metric> metric;
    Response response = Response::raw;
};

// A prepared data set (orchestrator/sut/README.md); a Fault (exit 2) names the file at fault.
Dataset prepared(const std::string& folder);

// The data set with the graph's names and only the graph's inputs; a Fault (exit 2) where they do not fit.
Dataset bound(Dataset dataset, const Signature& signature);

// Repeatable inputs that fit a graph, without labels; the options `dim.<name>` set its open dimensions.
Dataset generated(const Signature& signature, size_t samples,
                  const std::map<std::string, std::string>& options);

}  // namespace sut
