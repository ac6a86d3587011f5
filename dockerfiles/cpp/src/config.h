// Reads harness.json strictly: unknown, missing or wrong values are errors that name the file. The contract
// is orchestrator/sut/README.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sut {

enum class Scenario { offline, server, single_stream, multi_stream };
enum class Mode { performance, accuracy };

// LoadGen's spelling, such as "SingleStream".
const char* name_of(Scenario scenario);

// One LoadGen test as the host wants it. Exactly one of `dataset` and `generated_samples` is given.
struct Harness {
    std::string backend;
    std::optional<std::string> model;
    std::optional<std::string> dataset;
    std::optional<int64_t> generated_samples;
    Scenario scenario = Scenario::offline;
    Mode mode = Mode::performance;
    std::string loadgen_model;
    std::string user_conf;
    std::string output;
    int64_t threads = 1;
    int64_t batch_size = 1;
    int64_t workers = 1;
    int64_t queue_depth = 1;
    int64_t performance_sample_count = 1;
    std::map<std::string, std::string> options;

    // Whether one query is in flight at a time, and the issuing thread may run it.
    bool inline_queries() const;

    // Worker threads in force: one query at a time needs one, so that it gets all the runtime's threads.
    int64_t lanes() const;

    // The runtime's threads of each lane.
    int threads_per_lane() const;
};

// Parses harness.json; a Fault (exit 2) names the file and the first fault.
Harness read_harness(const std::string& path);

// The options of a backend, with the first of `known[name]` where one is not given; `dim.*` belong to the
// harness.
std::map<std::string, std::string> chosen_options(
    const std::string& backend, const std::map<std::string, std::string>& given,
    const std::map<std::string, std::vector<std::string>>& known);

}  // namespace sut
