#include "measure.h"

#include <loadgen.h>
#include <query_sample_library.h>
#include <system_under_test.h>
#include <test_settings.h>
#include <version.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "fault.h"
#include "files.h"
#include "lanes.h"
#include "watch.h"

namespace sut {

namespace {

class SystemUnderTest : public mlperf::SystemUnderTest {
  public:
    explicit SystemUnderTest(Traffic* traffic) : traffic_(traffic) {}
    const std::string& Name() override { return name_; }
    void IssueQuery(const std::vector<mlperf::QuerySample>& samples) override {
        guarded([&] { traffic_->issue(samples); });
    }
    void FlushQueries() override {}  // nothing is held back

  private:
    Traffic* traffic_;
    std::string name_ = "mlperf-docker-cpp";
};

class SampleLibrary : public mlperf::QuerySampleLibrary {
  public:
    SampleLibrary(Store* store, std::string name, size_t total, size_t performance)
        : store_(store), name_(std::move(name)), total_(total), performance_(performance) {}
    const std::string& Name() override { return name_; }
    size_t TotalSampleCount() override { return total_; }
    size_t PerformanceSampleCount() override { return performance_; }
    void LoadSamplesToRam(const std::vector<size_t>& samples) override {
        guarded([&] { store_->load(samples); });
    }
    void UnloadSamplesFromRam(const std::vector<size_t>& /*samples*/) override {
        guarded([&] { store_->unload(); });
    }

  private:
    Store* store_;
    std::string name_;
    size_t total_;
    size_t performance_;
};

mlperf::TestScenario loadgen_scenario(Scenario scenario) {
    switch (scenario) {
        case Scenario::server:
            return mlperf::TestScenario::Server;
        case Scenario::single_stream:
            return mlperf::TestScenario::SingleStream;
        case Scenario::multi_stream:
            return mlperf::TestScenario::MultiStream;
        case Scenario::offline:
            break;
    }
    return mlperf::TestScenario::Offline;
}

// LoadGen's settings from user.conf over its built-in mlperf.conf; a Fault (exit 2) where the file is bad.
// LoadGen takes the official values on the first FromConfig of a process only: never called twice.
mlperf::TestSettings test_settings(const Harness& harness) {
    const std::string& conf = harness.user_conf;
    if (!std::filesystem::is_regular_file(conf)) throw bad_input(conf, "no such file");
    const auto mode =
        harness.mode == Mode::accuracy ? mlperf::TestMode::AccuracyOnly : mlperf::TestMode::PerformanceOnly;
    mlperf::TestSettings settings;
    settings.scenario = loadgen_scenario(harness.scenario);
    settings.mode = mode;
    const int status = settings.FromConfig(conf, harness.loadgen_model, name_of(harness.scenario));
    if (status != 0)
        throw bad_input(conf, "LoadGen refuses it (status " + std::to_string(status) +
                                  "): a value is not a number, or a line is malformed");
    if (settings.mode != mode) throw bad_input(conf, "sets 'mode', which harness.json decides");
    return settings;
}

// How many samples an accuracy run asks for; LoadGen before 6.0.5 has no such setting.
template <typename Settings, typename = void>
struct AccuracyCount {
    static size_t of(const Settings& /*settings*/) { return 0; }
};

template <typename Settings>
struct AccuracyCount<Settings,
                     std::void_t<decltype(std::declval<Settings>().accuracy_sample_count_override)>> {
    static size_t of(const Settings& settings) { return settings.accuracy_sample_count_override; }
};

}  // namespace

Measured measure(const Harness& harness, const ReadyModel& model) {
    const auto settings = test_settings(harness);
    const size_t total = model.dataset.samples;
    Store store(model.dataset, model.batch);
    Lanes lanes;
    for (const auto& runner : model.runners)
        lanes.push_back(std::make_unique<Lane>(runner.get(), store, model.dataset, model.batch));
    const auto queries = traffic(harness, lanes, model.batch, store);
    SystemUnderTest system(queries.get());
    Measured measured;
    measured.performance_samples = std::min(static_cast<size_t>(harness.performance_sample_count), total);
    SampleLibrary library(&store, model.dataset.name, total, measured.performance_samples);
    mlperf::LogSettings logs;
    logs.enable_trace = false;
    logs.log_output.outdir = harness.output;
    const std::string audit = joined(harness.output, "audit.config");
    {
        const Progress progress([&] { return std::pair(completed(lanes), queries->issued()); });
        mlperf::StartTest(&system, &library, settings, logs,
                          std::filesystem::is_regular_file(audit) ? audit : "");
    }
    queries->stop();
    measured.issued = queries->issued();
    measured.completed = completed(lanes);
    if (measured.completed != measured.issued)
        throw Fault(std::to_string(measured.issued) + " samples were issued, " +
                    std::to_string(measured.completed) + " completed");
    const size_t override = AccuracyCount<mlperf::TestSettings>::of(settings);
    measured.asked = override != 0 ? override : total;
    return measured;
}

std::string loadgen_version() { return mlperf::LoadgenVersion(); }

void check_seeds(const std::string& path) {
    mlperf::TestSettings settings;
    settings.FromConfig("", "none", "Offline", 0);
    const nlohmann::json found = {{"qsl_rng_seed", settings.qsl_rng_seed},
                                  {"sample_index_rng_seed", settings.sample_index_rng_seed},
                                  {"schedule_rng_seed", settings.schedule_rng_seed}};
    const auto expected = read_json_object(path);
    if (found != expected)
        throw Fault("LoadGen's seeds are not the round's: expected " + expected.dump() + ", found " +
                    found.dump());
}

}  // namespace sut
