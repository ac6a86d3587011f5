// How LoadGen's queries reach the model: on the issuing thread, or through a pool of worker threads.
#pragma once

#include <loadgen.h>
#include <query_sample.h>

#include <atomic>
#include <memory>
#include <vector>

#include "config.h"
#include "model.h"
#include "responses.h"
#include "store.h"

namespace sut {

// A number that one thread adds to and others read.
class Tally {
  public:
    void add(size_t count) {
        count_.store(count_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
    }
    size_t count() const { return count_.load(std::memory_order_relaxed); }

  private:
    alignas(64) std::atomic<size_t> count_{0};
};

// One thread's way from sample indices to completed queries, with its own runner and buffers.
class Lane {
  public:
    Lane(Runner* runner, const Store& store, const Dataset& dataset, size_t batch);

    // Runs these samples as one batch and completes their queries.
    void answer(const mlperf::QuerySample* samples, size_t count);

    size_t completed() const { return completed_.count(); }

  private:
    Runner* runner_;
    const Store& store_;
    std::unique_ptr<Encoder> encoder_;
    std::vector<mlperf::QuerySampleResponse> responses_;
    std::vector<size_t> indices_;
    Gathered gathered_;
    Batch batch_;
    Tally completed_;
};

// A scenario's side of LoadGen's issue callback.
class Traffic {
  public:
    Traffic() = default;
    Traffic(const Traffic&) = delete;
    Traffic& operator=(const Traffic&) = delete;
    virtual ~Traffic() = default;

    // LoadGen's callback.
    virtual void issue(const std::vector<mlperf::QuerySample>& samples) = 0;

    // Ends what runs behind, once LoadGen has all its answers.
    virtual void stop() = 0;

    // Samples that were asked for.
    size_t issued() const { return issued_.count(); }

  protected:
    Tally issued_;
};

using Lanes = std::vector<std::unique_ptr<Lane>>;

// Samples answered by all lanes.
size_t completed(const Lanes& lanes);

// The scenario's way of answering queries.
std::unique_ptr<Traffic> traffic(const Harness& harness, const Lanes& lanes, size_t batch,
                                 const Store& store);

}  // namespace sut
