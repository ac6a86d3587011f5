#include "bare.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "config.h"
#include "fault.h"
#include "model.h"
#include "store.h"

namespace sut {

namespace {

using Clock = std::chrono::steady_clock;
using Latencies = std::vector<int64_t>;

Latencies run(Runner* runner, const std::vector<Batch>& batches, size_t count, Clock::time_point end) {
    Latencies latencies;
    latencies.reserve(1 << 16);
    auto before = Clock::now();
    for (size_t turn = 0; before < end; ++turn) {
        runner->run(batches[turn % batches.size()].inputs, count);
        const auto after = Clock::now();
        latencies.push_back(std::chrono::nanoseconds(after - before).count());
        before = after;
    }
    return latencies;
}

// The value that `share` of a list does not exceed, between neighbours in proportion.
double percentile(Latencies values, double share) {
    std::sort(values.begin(), values.end());
    const double place = share * static_cast<double>(values.size() - 1);
    const auto low = static_cast<size_t>(place);
    const size_t high = std::min(low + 1, values.size() - 1);
    const auto step = static_cast<double>(values[high] - values[low]);
    return static_cast<double>(values[low]) + (place - static_cast<double>(low)) * step;
}

}  // namespace

std::string bare_loop(const std::string& harness_path, double seconds, bool json) {
    const Harness harness = read_harness(harness_path);
    const ReadyModel model = ready(harness);
    const size_t samples =
        std::min(static_cast<size_t>(harness.performance_sample_count), model.dataset.samples);
    const size_t count = harness.scenario == Scenario::single_stream ? 1 : model.batch;
    Store store(model.dataset, model.batch);
    std::vector<size_t> indices(samples);
    std::iota(indices.begin(), indices.end(), size_t{0});
    store.load(indices);
    std::vector<Batch> batches;
    for (size_t start = 0; start < samples; start += count) store.neighbours(start, &batches.emplace_back());
    std::vector<Latencies> all(model.runners.size());
    std::vector<std::thread> threads;
    const auto start = Clock::now();
    const auto end = start + std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9));
    for (size_t lane = 1; lane < all.size(); ++lane)
        threads.emplace_back(
            [&, lane] { guarded([&] { all[lane] = run(model.runners[lane].get(), batches, count, end); }); });
    all[0] = run(model.runners[0].get(), batches, count, end);
    for (auto& thread : threads) thread.join();
    const double elapsed_s = std::chrono::duration<double>(Clock::now() - start).count();
    Latencies calls;
    for (const auto& each : all) calls.insert(calls.end(), each.begin(), each.end());
    const double sum = std::accumulate(calls.begin(), calls.end(), 0.0);
    const auto answered = calls.size() * count;
    const nlohmann::ordered_json figures = {
        {"schema_version", 1},
        {"scenario", name_of(harness.scenario)},
        {"batch", count},
        {"samples", answered},
        {"seconds", elapsed_s},
        {"samples_per_s", static_cast<double>(answered) / elapsed_s},
        {"p90_ns", static_cast<int64_t>(percentile(calls, 0.9))},
        {"mean_ns", static_cast<int64_t>(sum / static_cast<double>(calls.size()))}};
    if (json) return figures.dump();
    std::string lines;
    for (const auto& [name, value] : figures.items())
        lines += (lines.empty() ? "" : "\n") + name + " " + value.dump();
    return lines;
}

}  // namespace sut
