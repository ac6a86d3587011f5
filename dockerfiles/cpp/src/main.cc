// mlperf-sut HARNESS_JSON: one LoadGen test in this process, then its report.
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <optional>
#include <vector>

#include "accuracy.h"
#include "bare.h"
#include "config.h"
#include "fault.h"
#include "files.h"
#include "measure.h"
#include "model.h"
#include "report.h"
#include "watch.h"

namespace {

using Arguments = std::vector<std::string>;

constexpr const char* kUsage =
    "usage: mlperf-sut HARNESS_JSON | mlperf-sut --bare HARNESS_JSON [--seconds S] [--json] | "
    "mlperf-sut --check-seeds SEEDS_JSON | mlperf-sut --version";

void test(const std::string& path) {
    const sut::Harness harness = sut::read_harness(path);
    sut::check_output_folder(harness.output);
    const std::string accuracy_text = sut::joined(harness.output, "accuracy.txt");
    std::filesystem::remove(accuracy_text);
    std::filesystem::remove(sut::joined(harness.output, "report.json"));
    sut::end_on_signals();
    const sut::ReadyModel model = sut::ready(harness);
    const sut::Measured measured = sut::measure(harness, model);
    std::optional<sut::Accuracy> accuracy;
    if (harness.mode == sut::Mode::accuracy && model.dataset.metric) {
        const std::string log = sut::joined(harness.output, "mlperf_log_accuracy.json");
        accuracy = sut::judge(log, *model.dataset.metric, model.dataset.labels, measured.asked);
        sut::write_text(accuracy_text, accuracy->text());
    }
    sut::write_report(harness, model, measured, accuracy);
}

double seconds_of(const std::string& text) {
    size_t read = 0;
    try {
        const double seconds = std::stod(text, &read);
        if (read == text.size() && seconds > 0) return seconds;
    } catch (const std::logic_error&) {
    }
    throw sut::Fault("--seconds: '" + text + "' is not a number above 0", sut::kBadInput);
}

void bare(const Arguments& arguments) {
    double seconds = 10;
    bool json = false;
    for (size_t place = 2; place < arguments.size(); ++place) {
        if (arguments[place] == "--json")
            json = true;
        else if (arguments[place] == "--seconds" && place + 1 < arguments.size())
            seconds = seconds_of(arguments[++place]);
        else
            throw sut::Fault(kUsage, sut::kBadInput);
    }
    std::cout << sut::bare_loop(arguments[1], seconds, json) << std::endl;
}

void run(const Arguments& arguments) {
    if (arguments.size() == 1 && arguments[0] == "--version")
        std::cout << "mlperf-sut, backend " << sut::built_in_backend() << ", LoadGen "
                  << sut::loadgen_version() << std::endl;
    else if (arguments.size() == 2 && arguments[0] == "--check-seeds")
        sut::check_seeds(arguments[1]);
    else if (arguments.size() >= 2 && arguments[0] == "--bare")
        bare(arguments);
    else if (arguments.size() == 1 && arguments[0].rfind("--", 0) != 0)
        test(arguments[0]);
    else
        throw sut::Fault(kUsage, sut::kBadInput);
}

}  // namespace

// Exit status: 0 done, 2 bad harness.json, model or data, 1 anything else; one line on stderr says what.
int main(int count, char** values) {
    try {
        run(Arguments(values + 1, values + count));
    } catch (const std::exception& error) {
        sut::say(error);
        return sut::exit_code_of(error);
    }
    return 0;
}
