#include "lanes.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "fault.h"

namespace sut {

namespace {

using mlperf::QuerySample;

// SingleStream and MultiStream: the issuing thread runs the query, batch after batch, before it returns.
class Inline : public Traffic {
  public:
    Inline(Lane* lane, size_t batch) : lane_(lane), batch_(batch) {}

    void issue(const std::vector<QuerySample>& samples) override {
        issued_.add(samples.size());
        for (size_t start = 0; start < samples.size(); start += batch_)
            lane_->answer(samples.data() + start, std::min(batch_, samples.size() - start));
    }

    void stop() override {}

  private:
    Lane* lane_;
    size_t batch_;
};

// One thread for each lane, ended and joined by stop().
class Threads {
  public:
    template <typename Work>
    void start(const Lanes& lanes, Work work) {
        for (const auto& lane : lanes)
            threads_.emplace_back([work, each = lane.get()] { guarded([&] { work(each); }); });
    }

    void join() {
        for (auto& thread : threads_) thread.join();
        threads_.clear();
    }

  private:
    std::vector<std::thread> threads_;
};

// One query with everything in it: each thread claims the next batch until none is left.
class Offline : public Traffic {
  public:
    Offline(const Lanes& lanes, size_t batch, const Store& store) : store_(store), batch_(batch) {
        threads_.start(lanes, [this](Lane* lane) { work(lane); });
    }

    ~Offline() override { Offline::stop(); }

    void issue(const std::vector<QuerySample>& samples) override {
        issued_.add(samples.size());
        auto job = std::make_shared<Job>();
        job->samples = ordered(samples);
        const std::lock_guard<std::mutex> lock(mutex_);
        jobs_.push_back(std::move(job));
        more_.notify_all();
    }

    void stop() override {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            over_ = true;
            more_.notify_all();
        }
        threads_.join();
    }

  private:
    struct Job {
        std::vector<QuerySample> samples;
        std::atomic<size_t> next{0};
    };

    std::vector<QuerySample> ordered(const std::vector<QuerySample>& samples) const {
        std::vector<size_t> indices;
        indices.reserve(samples.size());
        for (const auto& sample : samples) indices.push_back(sample.index);
        const auto order = store_.order(indices);
        if (order.empty()) return samples;
        std::vector<QuerySample> sorted;
        sorted.reserve(samples.size());
        for (const auto place : order) sorted.push_back(samples[place]);
        return sorted;
    }

    void work(Lane* lane) {
        for (size_t turn = 0;; ++turn) {
            std::shared_ptr<Job> job;
            {
                std::unique_lock<std::mutex> lock(mutex_);
                more_.wait(lock, [&] { return over_ || jobs_.size() > turn; });
                if (jobs_.size() <= turn) return;
                job = jobs_[turn];
            }
            const size_t all = job->samples.size();
            for (size_t start; (start = job->next.fetch_add(batch_)) < all;)
                lane->answer(job->samples.data() + start, std::min(batch_, all - start));
        }
    }

    const Store& store_;
    size_t batch_;
    std::mutex mutex_;
    std::condition_variable more_;
    std::deque<std::shared_ptr<Job>> jobs_;
    bool over_ = false;
    Threads threads_;
};

// Queries as they arrive: a bounded queue; a free thread takes its share of what waits, up to one batch.
class Server : public Traffic {
  public:
    Server(const Lanes& lanes, size_t batch, size_t depth) : lanes_(lanes), batch_(batch), ring_(depth) {
        threads_.start(lanes, [this](Lane* lane) { work(lane); });
    }

    ~Server() override { Server::stop(); }

    // Returns at once. A full queue ends the run: dropping queries would be a lie.
    void issue(const std::vector<QuerySample>& samples) override {
        issued_.add(samples.size());
        bool full = false;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            full = waiting_ + samples.size() > ring_.size();
            for (size_t place = 0; !full && place < samples.size(); ++place)
                ring_[(first_ + waiting_++) % ring_.size()] = samples[place];
        }
        if (full)
            throw Fault(
                "queue overflow: more than " + std::to_string(ring_.size()) + " samples wait (" +
                std::to_string(issued()) + " issued, " + std::to_string(completed(lanes_)) +
                " completed); the target rate is beyond this system, lower target_qps or raise queue_depth");
        if (samples.size() == 1)
            more_.notify_one();
        else
            more_.notify_all();
    }

    void stop() override {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            over_ = true;
        }
        more_.notify_all();
        threads_.join();
    }

  private:
    void work(Lane* lane) {
        std::vector<QuerySample> taken;
        taken.reserve(batch_);
        for (;;) {
            {
                std::unique_lock<std::mutex> lock(mutex_);
                more_.wait(lock, [&] { return over_ || waiting_ > 0; });
                if (waiting_ == 0) return;
                take(&taken);
            }
            lane->answer(taken.data(), taken.size());
        }
    }

    // This thread's share of what waits; leaves some for threads that are free.
    void take(std::vector<QuerySample>* taken) {
        const size_t share = std::min(batch_, 1 + (waiting_ - 1) / lanes_.size());
        taken->clear();
        for (; taken->size() < share; --waiting_) {
            taken->push_back(ring_[first_]);
            first_ = (first_ + 1) % ring_.size();
        }
    }

    const Lanes& lanes_;
    size_t batch_;
    std::mutex mutex_;
    std::condition_variable more_;
    std::vector<QuerySample> ring_;
    size_t first_ = 0;
    size_t waiting_ = 0;
    bool over_ = false;
    Threads threads_;
};

}  // namespace

Lane::Lane(Runner* runner, const Store& store, const Dataset& dataset, size_t batch)
    : runner_(runner), store_(store), encoder_(encoder(dataset, batch)), responses_(batch), indices_(batch) {}

void Lane::answer(const QuerySample* samples, size_t count) {
    for (size_t place = 0; place < count; ++place) indices_[place] = samples[place].index;
    store_.batch(indices_.data(), count, &gathered_, &batch_);
    const Place answers = encoder_->encode(runner_->run(batch_.inputs, count), batch_.mask, count);
    for (size_t place = 0; place < count; ++place) {
        auto& response = responses_[place];
        response.id = samples[place].id;
        response.data = reinterpret_cast<uintptr_t>(answers.data + place * answers.step_bytes);
        response.size = answers.size_bytes;
    }
    completed_.add(count);
    mlperf::QuerySamplesComplete(responses_.data(), count);
}

size_t completed(const Lanes& lanes) {
    size_t count = 0;
    for (const auto& lane : lanes) count += lane->completed();
    return count;
}

std::unique_ptr<Traffic> traffic(const Harness& harness, const Lanes& lanes, size_t batch,
                                 const Store& store) {
    if (harness.inline_queries()) return std::make_unique<Inline>(lanes[0].get(), batch);
    if (harness.scenario == Scenario::offline) return std::make_unique<Offline>(lanes, batch, store);
    return std::make_unique<Server>(lanes, batch, static_cast<size_t>(harness.queue_depth));
}

}  // namespace sut
